"""The variable `authorizer`: what somebody may do, asked in an expression (Kubernetes' authz and authzSelectors libraries).

Whoever declares the variable hands in an Authorizer that knows whom it is about and how to ask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from kctl.apimachinery import names
from kctl.kube_apiserver.cel.function import Function, Functions
from kctl.kube_apiserver.cel.types import Type
from kctl.kube_apiserver.cel.values import CelError, MapValue, no_such_overload

CHECK_COST = 350_000
_PREFIX = "kubernetes.authorization."
RESOURCE_CHECK: Type = ("object", f"{_PREFIX}ResourceCheck", {})
AUTHORIZER: Type = ("object", f"{_PREFIX}Authorizer", {"requestResource": RESOURCE_CHECK})
"""Of the variable. What serviceAccount() makes of it knows of no request."""
TYPES: dict[str, Type] = {
    "authorizer": ("object", f"{_PREFIX}Authorizer", {}),
    "pathCheck": ("object", f"{_PREFIX}PathCheck", {}),
    "groupCheck": ("object", f"{_PREFIX}GroupCheck", {}),
    "resourceCheck": RESOURCE_CHECK,
    "decision": ("object", f"{_PREFIX}Decision", {}),
}


class Question(NamedTuple):
    """`service_account`: (namespace, name) of who is asked about; None is who sent the request. `path` is set for what is no resource."""

    verb: str
    service_account: tuple[str, str] | None = None
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""


Ask = Callable[[Question], "Decision"]


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: str = ""
    cel_type = f"{_PREFIX}Decision"


@dataclass(frozen=True, slots=True)
class Check:
    """A question without its verb: a PathCheck, GroupCheck or ResourceCheck."""

    ask: Ask
    question: Question
    kind: str

    @property
    def cel_type(self) -> str:
        return f"{_PREFIX}{self.kind}"


class Authorizer(MapValue):
    """`request_resource`: what the request itself is about, for the variable."""

    __slots__ = ("ask", "service_account")
    cel_type = f"{_PREFIX}Authorizer"

    def __init__(self, ask: Ask, request_resource: Question | None, service_account: tuple[str, str] | None = None) -> None:
        known = {} if request_resource is None else {"requestResource": Check(ask, request_resource, "ResourceCheck")}
        super().__init__(known, is_object=True)
        self.ask = ask
        self.service_account = service_account

    def begin(self, kind: str, **known: str) -> Check:
        return Check(self.ask, Question("", self.service_account, **known), kind)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise no_such_overload()
    if not value.strip():
        raise CelError(f"{what} must not be empty")
    return value


def _authorizer(value: Any) -> Authorizer:
    if not isinstance(value, Authorizer):
        raise no_such_overload()
    return value


def _service_account(value: Any, namespace: Any, name: Any) -> Authorizer:
    authorizer = _authorizer(value)
    if not isinstance(namespace, str) or not isinstance(name, str):
        raise no_such_overload()
    if names.dns1123_subdomain(name):
        raise CelError("Invalid service account name")
    if names.dns1123_label(namespace):
        raise CelError("Invalid service account namespace")
    return Authorizer(authorizer.ask, None, (namespace, name))


def _check_of(value: Any, *kinds: str) -> Check:
    if not isinstance(value, Check) or value.kind not in kinds:
        raise no_such_overload()
    return value


def _resource(value: Any, resource: Any) -> Check:
    check = _check_of(value, "GroupCheck")
    return Check(check.ask, check.question._replace(resource=_text(resource, "resource")), "ResourceCheck")


def _narrowed(part: str) -> Function:
    def narrow(value: Any, to: Any) -> Check:
        check = _check_of(value, "ResourceCheck")
        if not isinstance(to, str):
            raise no_such_overload()
        return replace(check, question=Question(**{**check.question._asdict(), part: to}))

    return Function(narrow)


def _decide(value: Any, verb: Any) -> Decision:
    check = _check_of(value, "PathCheck", "ResourceCheck")
    if not isinstance(verb, str):
        raise no_such_overload()
    return check.ask(check.question._replace(verb=verb))


def _of_decision(read: Callable[[Decision], Any]) -> Function:
    def call(value: Any) -> Any:
        if not isinstance(value, Decision):
            raise no_such_overload()
        return read(value)

    return Function(call)


def _group(value: Any, group: Any) -> Check:
    if not isinstance(group, str):
        raise no_such_overload()
    return _authorizer(value).begin("GroupCheck", group=group)


METHODS: Functions = {
    "path": Function(lambda value, path: _authorizer(value).begin("PathCheck", path=_text(path, "path"))),
    "group": Function(_group),
    "serviceAccount": Function(_service_account),
    "resource": Function(_resource),
    "subresource": _narrowed("subresource"),
    "namespace": _narrowed("namespace"),
    "name": _narrowed("name"),
    "fieldSelector": _narrowed("field_selector"),
    "labelSelector": _narrowed("label_selector"),
    "check": Function(_decide, lambda *_: CHECK_COST),
    "allowed": _of_decision(lambda decision: decision.allowed),
    "reason": _of_decision(lambda decision: decision.reason),
    "errored": _of_decision(lambda decision: False),
    "error": _of_decision(lambda decision: ""),
}
GLOBAL: Functions = {}
QUALIFIED: Functions = {}
DECLARATIONS = """
authorizer.path(string) -> pathCheck
authorizer.group(string) -> groupCheck
authorizer.serviceAccount(string, string) -> authorizer
groupCheck.resource(string) -> resourceCheck
resourceCheck.subresource(string) -> resourceCheck
resourceCheck.namespace(string) -> resourceCheck
resourceCheck.name(string) -> resourceCheck
resourceCheck.fieldSelector(string) -> resourceCheck
resourceCheck.labelSelector(string) -> resourceCheck
pathCheck.check(string) -> decision
resourceCheck.check(string) -> decision
decision.allowed() -> bool
decision.reason() -> string
decision.errored() -> bool
decision.error() -> string
"""
