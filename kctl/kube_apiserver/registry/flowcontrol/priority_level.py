"""PriorityLevelConfigurations of API priority and fairness."""

from __future__ import annotations

import math
from typing import Any

from kctl.apimachinery import field_errors, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.flowcontrol.flow_schema import condition_errors
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_MAX_QUEUES = 10_000_000
_MAX_HASH_BITS = 60


class PriorityLevelStrategy(Strategy):
    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if context.subresource == "status":
            field_checks.keep_metadata(obj, old)

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        exempt, limited = spec.get("exempt"), spec.get("limited")
        if exempt is not None:
            exempt.setdefault("nominalConcurrencyShares", 0)
            exempt.setdefault("lendablePercent", 0)
        if limited is not None:
            limited.setdefault("nominalConcurrencyShares", 30)
            limited.setdefault("lendablePercent", 0)
            queuing = (limited.get("limitResponse") or {}).get("queuing")
            if queuing is not None:
                for name, value in (("handSize", 8), ("queues", 64), ("queueLengthLimit", 50)):
                    queuing[name] = queuing.get(name) or value

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        kind = spec.get("type") or ""
        errors: list[FieldError] = []
        if (objects.name(obj) == "exempt") != (kind == "Exempt"):
            why = "type must be 'Exempt' if and only if name is 'exempt'"
            errors.append(field_errors.invalid("spec.type", kind, why))
        if kind == "Exempt":
            if spec.get("limited") is not None:
                errors.append(field_errors.forbidden("spec.limited", "must be nil if the type is not Limited"))
        elif kind == "Limited":
            if spec.get("exempt") is not None:
                errors.append(field_errors.forbidden("spec.exempt", "must be nil if the type is Limited"))
            if spec.get("limited") is None:
                errors.append(field_errors.required("spec.limited", "must not be empty when type is Limited"))
            else:
                errors += _limited(spec["limited"], "spec.limited")
        else:
            errors += field_checks.enum("spec.type", kind, ("Exempt", "Limited"))
        return errors

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return condition_errors(obj)


def _limited(limited: dict[str, Any], path: str) -> list[FieldError]:
    errors = field_checks.non_negative(f"{path}.nominalConcurrencyShares", limited.get("nominalConcurrencyShares"))
    errors += _response(limited.get("limitResponse") or {}, f"{path}.limitResponse")
    percent, limit = limited.get("lendablePercent"), limited.get("borrowingLimitPercent")
    if percent is not None and not 0 <= percent <= 100:
        errors.append(field_errors.invalid(f"{path}.lendablePercent", percent, "must be between 0 and 100, inclusive"))
    if limit is not None and limit < 0:
        why = "if specified, must be a non-negative integer"
        errors.append(field_errors.invalid(f"{path}.borrowingLimitPercent", limit, why))
    return errors


def _response(response: dict[str, Any], here: str) -> list[FieldError]:
    errors: list[FieldError] = []
    kind, queuing = response.get("type") or "", response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            why = "must be nil if limited.limitResponse.type is not Limited"
            errors.append(field_errors.forbidden(f"{here}.queuing", why))
    elif kind == "Queue":
        if queuing is None:
            why = "must not be empty if limited.limitResponse.type is Limited"
            return [*errors, field_errors.required(f"{here}.queuing", why)]
        errors += _queuing(queuing, f"{here}.queuing")
    else:
        errors += field_checks.enum(f"{here}.type", kind, ("Queue", "Reject"))
    return errors


def _queuing(queuing: dict[str, Any], path: str) -> list[FieldError]:
    limit, queues, hand = (queuing.get(name) or 0 for name in ("queueLengthLimit", "queues", "handSize"))
    errors: list[FieldError] = []
    if limit <= 0:
        errors.append(field_errors.invalid(f"{path}.queueLengthLimit", limit, "must be positive"))
    if queues <= 0:
        errors.append(field_errors.invalid(f"{path}.queues", queues, "must be positive"))
    elif queues > _MAX_QUEUES:
        errors.append(field_errors.invalid(f"{path}.queues", queues, f"must not be greater than {_MAX_QUEUES}"))
    if hand <= 0:
        errors.append(field_errors.invalid(f"{path}.handSize", hand, "must be positive"))
    elif hand > queues:
        errors.append(field_errors.invalid(f"{path}.handSize", hand, f"should not be greater than queues ({queues})"))
    elif math.ceil(sum(math.log2(queues - card) for card in range(hand) if queues > card)) > _MAX_HASH_BITS:
        why = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_MAX_HASH_BITS}"
        errors.append(field_errors.invalid(f"{path}.handSize", hand, why))
    return errors


STRATEGY = PriorityLevelStrategy()
