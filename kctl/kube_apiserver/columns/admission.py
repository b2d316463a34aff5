"""Table columns of admissionregistration.k8s.io."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.columns.columns import AGE, NAME, Column, Columns
from kctl.kube_apiserver.columns.core import created

_GROUP = "admissionregistration.k8s.io"
_UNSET = "<unset>"


def _webhooks(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), len(obj.get("webhooks") or ()), created(obj, now)]


def _policy(field: str) -> Callable[[Object, datetime], list[Any]]:
    def row(obj: Object, now: datetime) -> list[Any]:
        spec = objects.spec(obj)
        kind = spec.get("paramKind")
        shown = _UNSET if kind is None else f"{kind.get('apiVersion') or ''}/{kind.get('kind') or ''}"
        return [objects.name(obj), len(spec.get(field) or ()), shown, created(obj, now)]

    return row


def _binding(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    reference, shown = spec.get("paramRef"), _UNSET
    if reference is not None:
        name = reference.get("name") or "*"
        shown = f"{reference['namespace']}/{name}" if reference.get("namespace") else name
    return [objects.name(obj), spec.get("policyName") or "", shown, created(obj, now)]


_WEBHOOKS = Columns(
    (
        NAME,
        Column("Webhooks", "Webhooks indicates the number of webhooks registered in this configuration", "integer"),
        AGE,
    ),
    _webhooks,
)
_PARAM_KIND = Column("ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy")
_BINDING = Columns(
    (
        NAME,
        Column("PolicyName", "PolicyName indicates the policy definition which the policy binding binded to"),
        Column("ParamRef", "ParamRef indicates the param resource which sets the configuration param"),
        AGE,
    ),
    _binding,
)

COLUMNS: dict[str, Columns] = {
    f"mutatingwebhookconfigurations.{_GROUP}": _WEBHOOKS,
    f"validatingwebhookconfigurations.{_GROUP}": _WEBHOOKS,
    f"validatingadmissionpolicies.{_GROUP}": Columns(
        (
            NAME,
            Column(
                "Validations",
                "Validations indicates the number of validation rules defined in this configuration",
                "integer",
            ),
            _PARAM_KIND,
            AGE,
        ),
        _policy("validations"),
    ),
    f"mutatingadmissionpolicies.{_GROUP}": Columns(
        (
            NAME,
            Column("Mutations", "Mutation indicates the number of mutations rules defined in this configuration", "integer"),
            _PARAM_KIND,
            AGE,
        ),
        _policy("mutations"),
    ),
    f"validatingadmissionpolicybindings.{_GROUP}": _BINDING,
    f"mutatingadmissionpolicybindings.{_GROUP}": _BINDING,
}
