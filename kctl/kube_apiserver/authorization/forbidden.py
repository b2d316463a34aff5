"""How a refusal reads: `pods "x" is forbidden: User "jane" cannot get resource "pods" in API group "" in the namespace "default"`."""

from __future__ import annotations

from kctl.apimachinery.go_text import quote
from kctl.apimachinery.status import Forbidden, forbidden
from kctl.kube_apiserver.authorization.attributes import Attributes

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def refusal(asked: Attributes, reason: str) -> Forbidden:
    why = _what(asked).translate(_ESCAPES)
    if reason:
        why = f"{why}: {reason}"
    if asked.is_resource and asked.resource:
        return forbidden(asked.group, asked.resource, asked.name, why)
    error = Forbidden(f"forbidden: {why}")
    code = error.status.pop("code")
    error.status |= {"details": {}, "code": code}
    return error


def _what(asked: Attributes) -> str:
    who = f"User {quote(asked.user.name)} cannot {asked.verb}"
    if not asked.is_resource:
        return f"{who} path {quote(asked.path)}"
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    where = f"in the namespace {quote(asked.namespace)}" if asked.namespace else "at the cluster scope"
    return f"{who} resource {quote(resource)} in API group {quote(asked.group)} {where}"
