"""PriorityLevelConfigurations of API priority and fairness."""

from __future__ import annotations

import math
from typing import Any

from kctl.apimachinery import field_errors, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry.flowcontrol.flow_schema import CONDITIONS
from kctl.kube_apiserver.registry.rules.checks import at_least, at_most, between, forbidden_if, number, required_if
from kctl.kube_apiserver.registry.rules.language import field, pointer, struct, when
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy

_MAX_QUEUES = 10_000_000
_MAX_HASH_BITS = 60
_POSITIVE = number(lambda value: value > 0, "must be positive")


def _type(kind: str, path: str, root: Any) -> list[FieldError]:
    why = "type must be 'Exempt' if and only if name is 'exempt'"
    return [field_errors.invalid(path, kind, why)] if (objects.name(root) == "exempt") != (kind == "Exempt") else []


def _hand(queuing: Any, path: str) -> list[FieldError]:
    """A hand of queues, dealt by a hash of 60 bits."""
    queues, hand = queuing.get("queues") or 0, queuing.get("handSize") or 0
    if hand <= 0:
        why = "must be positive"
    elif hand > queues:
        why = f"should not be greater than queues ({queues})"
    elif math.ceil(_bits(queues, hand)) > _MAX_HASH_BITS:
        why = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_MAX_HASH_BITS}"
    else:
        return []
    return [field_errors.invalid(f"{path}.handSize", hand, why)]


def _bits(queues: int, hand: int) -> float:
    """Entropy of a hand; not counted on beyond what is refused anyway, which a hand of millions passes at once."""
    bits = 0.0
    for card in range(min(hand, queues - 1)):
        if bits > _MAX_HASH_BITS:
            break
        bits += math.log2(queues - card)
    return bits


_QUEUING = struct(
    field("queueLengthLimit", _POSITIVE, default=50),
    field("queues", _POSITIVE, at_most(_MAX_QUEUES, f"must not be greater than {_MAX_QUEUES}"), default=64),
    field("handSize", default=8),
    _hand,
)
_RESPONSE = struct(
    forbidden_if(lambda response: response.get("type") == "Reject", "queuing", "must be nil if limited.limitResponse.type is not Limited"),
    required_if(lambda response: response.get("type") == "Queue", "queuing", "must not be empty if limited.limitResponse.type is Limited"),
    when(lambda response: response.get("type") == "Queue", pointer("queuing", _QUEUING)),
    field("type", enum=("Queue", "Reject")),
)
_LIMITED = struct(
    pointer("nominalConcurrencyShares", at_least(0), default=30),
    field("limitResponse", _RESPONSE),
    pointer("lendablePercent", between(0, 100), default=0),
    pointer("borrowingLimitPercent", at_least(0, "if specified, must be a non-negative integer")),
)
_SPEC = struct(
    field("type", _type),
    field("type", enum=("Exempt", "Limited")),
    pointer("exempt", struct(pointer("nominalConcurrencyShares", default=0), pointer("lendablePercent", default=0))),
    forbidden_if(lambda spec: spec.get("type") == "Exempt", "limited", "must be nil if the type is not Limited"),
    forbidden_if(lambda spec: spec.get("type") == "Limited", "exempt", "must be nil if the type is Limited"),
    required_if(lambda spec: spec.get("type") == "Limited", "limited", "must not be empty when type is Limited"),
    when(lambda spec: spec.get("type") == "Limited", pointer("limited", _LIMITED)),
)


class PriorityLevelStrategy(RuledStrategy):
    rules = struct(field("spec", _SPEC, default={}))
    status_rules = CONDITIONS
    status_keeps_metadata = True


STRATEGY = PriorityLevelStrategy()
