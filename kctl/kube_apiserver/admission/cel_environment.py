"""What expressions of webhooks and policies may name, and compiling them (upstream's plugin/cel compiler)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.kube_apiserver.cel import types
from kctl.kube_apiserver.cel.authorization import AUTHORIZER
from kctl.kube_apiserver.cel.program import CompileError, Program
from kctl.kube_apiserver.cel.types import DYN, STRING, AnyField, Type, shown

_STRINGS = ("map", STRING, STRING)
_KIND = ("object", "kubernetes.GroupVersionKind", {"group": STRING, "version": STRING, "kind": STRING})
_RESOURCE = ("object", "kubernetes.GroupVersionResource", {"group": STRING, "version": STRING, "resource": STRING})
_USER = (
    "object",
    "kubernetes.UserInfo",
    {"username": STRING, "uid": STRING, "groups": ("list", STRING), "extra": ("map", STRING, ("list", STRING))},
)
_REQUEST = (
    "object",
    "kubernetes.AdmissionRequest",
    {
        **{"kind": _KIND, "resource": _RESOURCE, "subResource": STRING, "requestKind": _KIND, "requestResource": _RESOURCE},
        **{"requestSubResource": STRING, "name": STRING, "namespace": STRING, "operation": STRING, "userInfo": _USER},
        **{"dryRun": types.BOOL, "options": DYN},
    },
)
_METADATA = (
    "object",
    "kubernetes.NamespaceMetadata",
    {
        **{"name": STRING, "generateName": STRING, "namespace": STRING, "labels": _STRINGS, "annotations": _STRINGS, "UID": STRING},
        **{"creationTimestamp": types.TIMESTAMP, "deletionTimestamp": types.TIMESTAMP, "deletionGracePeriodSeconds": types.INT},
        **{"generation": types.INT, "resourceVersion": STRING, "finalizers": ("list", STRING)},
    },
)
_CONDITION = (
    "object",
    "kubernetes.NamespaceCondition",
    {"status": STRING, "type": STRING, "lastTransitionTime": types.TIMESTAMP, "message": STRING, "reason": STRING},
)
_NAMESPACE = (
    "object",
    "kubernetes.Namespace",
    {
        "metadata": _METADATA,
        "spec": ("object", "kubernetes.NamespaceSpec", {"finalizers": ("list", STRING)}),
        "status": ("object", "kubernetes.NamespaceStatus", {"phase": STRING, "conditions": ("list", _CONDITION)}),
    },
)
VARIABLES: Mapping[str, Type] = {
    **{"object": DYN, "oldObject": DYN, "request": _REQUEST, "namespaceObject": _NAMESPACE},
    "authorizer": AUTHORIZER,
}
OBJECT: Type = ("object", "Object", AnyField())
JSON_PATCH: Type = ("object", "JSONPatch", {"op": STRING, "path": STRING, "from": STRING, "value": DYN})
JSON_PATCHES: Type = ("list", JSON_PATCH)
MADE_VARIABLES = "kubernetes.variables"


def _patch_type(name: str) -> Type | None:
    """What expressions of mutations make: JSONPatch{...}, Object{...}, Object.spec{...} and so on."""
    if name == "JSONPatch":
        return JSON_PATCH
    return ("object", name, AnyField()) if name == "Object" or name.startswith("Object.") else None


class Environment:
    """What the expressions of one webhook or policy may name: always the request, `params` and `variables` where it has some.
    `typed`: other types for some names, to check them against a schema."""

    def __init__(
        self, *, has_params: bool = False, variables: Sequence[Mapping[str, Any]] = (), typed: Mapping[str, Type] | None = None
    ) -> None:
        declared = dict(VARIABLES)
        if has_params:
            declared["params"] = DYN
        self._declared: dict[str, Type] = {**declared, **(typed or {})}
        self._programs: dict[tuple[str, tuple[str, ...], bool, bool], Program | str] = {}
        self.variables: dict[str, Program | str] = {}
        known: dict[str, Type] = {}
        for variable in variables:
            name = str(variable.get("name") or "")
            self._declared["variables"] = ("object", MADE_VARIABLES, dict(known))
            made = self.variables[name] = self._compile(str(variable.get("expression") or ""), (), True, False)
            known[name] = made.type if isinstance(made, Program) else DYN
        if variables:
            self._declared["variables"] = ("object", MADE_VARIABLES, known)

    def compile(self, text: str, *wanted: Type, authorizer: bool = True, patches: bool = False) -> Program | str:
        """The program, or why there is none. `wanted`: of one of these types, none = of any; `authorizer`: it may ask it;
        `patches`: it may make Objects and JSONPatches."""
        key = text, tuple(map(shown, wanted)), authorizer, patches
        program = self._programs.get(key)
        if program is None:
            program = self._programs[key] = self._compile(text, wanted, authorizer, patches)
        return program

    def _compile(self, text: str, wanted: Sequence[Type], authorizer: bool, patches: bool) -> Program | str:
        declared = self._declared
        if not authorizer:
            declared = {name: kind for name, kind in declared.items() if name != "authorizer"}
        try:
            program = Program(text, declared, made=_patch_type if patches else None)
        except CompileError as error:
            return str(error)
        if not wanted or any(_is(program.type, kind) for kind in wanted):
            return program
        names = " ".join(map(shown, wanted))
        return f"must evaluate to {names if len(wanted) == 1 else f'one of [{names}]'} but got {shown(program.type)}"


def _is(given: Type, wanted: Type) -> bool:
    """Exactly this type; of a list without items the type is not known."""
    if isinstance(given, tuple) and isinstance(wanted, tuple) and given[0] == wanted[0]:
        return bool(given[1] == wanted[1]) if given[0] == "object" else given[1] == DYN or _is(given[1], wanted[1])
    return bool(given == wanted)
