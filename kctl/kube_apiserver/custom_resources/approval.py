"""Groups of the Kubernetes project (*.k8s.io, *.kubernetes.io): whoever defines a resource there says where it was approved (KEP-1111)."""

from __future__ import annotations

from urllib.parse import urlsplit

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Condition, Object

ANNOTATION = "api-approved.kubernetes.io"
_SEE = "https://github.com/kubernetes/enhancements/pull/1111"
INVALID = (
    f'protected groups must have approval annotation "{ANNOTATION}" with either a URL or a reason starting with "unapproved", see {_SEE}'
)
MISSING = f'protected groups must have approval annotation "{ANNOTATION}", see {_SEE}'


def is_protected(group: str) -> bool:
    return group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))


def state(obj: Object) -> tuple[str, str]:
    """(Missing, Invalid, Approved or Unapproved, what is said of it)"""
    given = objects.annotations(obj).get(ANNOTATION) or ""
    if not given:
        return "Missing", MISSING
    if given.startswith("unapproved"):
        return "Unapproved", f"not approved: {_quoted(given)}"
    try:
        url = urlsplit(given)
    except ValueError:
        return "Invalid", INVALID
    if url.scheme and url.netloc:
        return "Approved", f"approved in {given}"
    return "Invalid", INVALID


def _quoted(text: str) -> str:
    return f'"{text}"'


def condition(obj: Object) -> Condition | None:
    """KubernetesAPIApprovalPolicyConformant; None for other groups."""
    if not is_protected(objects.spec(obj).get("group") or ""):
        return None
    reason, message = state(obj)
    status = "True" if reason == "Approved" else "False"
    return {
        "type": "KubernetesAPIApprovalPolicyConformant",
        "status": status,
        "reason": f"{reason}Annotation",
        "message": message,
    }
