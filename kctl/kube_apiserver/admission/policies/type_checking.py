"""Whether the expressions of a ValidatingAdmissionPolicy fit the types it is about: warnings for its status, which change nothing
(upstream's validating.TypeChecker)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import schemas
from kctl.kube_apiserver.admission.cel_environment import Environment
from kctl.kube_apiserver.cel import types
from kctl.kube_apiserver.cel.types import DYN, Type
from kctl.kube_apiserver.custom_resources.cel_values import escaped, type_of
from kctl.kube_apiserver.custom_resources.structural import Structural

MOST_TYPES = 10
"""Of those a rule names, all of which every expression is checked against."""
_PREFIX = "compilation failed: "
_SCALARS: Mapping[str, Type] = {
    **{"s": types.STRING, "y": types.BYTES, "i32": types.INT, "i64": types.INT, "n": types.DOUBLE, "b": types.BOOL},
    **{"t": types.TIMESTAMP, "T": types.TIMESTAMP},
}
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


class Kind(NamedTuple):
    group: str
    version: str
    kind: str

    @classmethod
    def of(cls, api_version: str, kind: str) -> Kind:
        group, _, version = api_version.rpartition("/")
        return cls(group, version, kind)

    def __str__(self) -> str:
        return f"{self.group}/{self.version}, Kind={self.kind}"


KindFor = Callable[[str, str, str], Kind | None]
"""Of a resource: (group, version, plural)."""


def kinds_to_check(policy: Object, kind_for: KindFor) -> list[Kind]:
    """Those that rules name without wildcards, in order."""
    found: set[Kind] = set()
    for rule in (objects.spec(policy).get("matchConstraints") or {}).get("resourceRules") or ():
        groups, versions = (sorted(rule.get(part) or ()) for part in ("apiGroups", "apiVersions"))
        if any("*" in name for name in (*groups, *versions)):
            continue
        resources = sorted(name for name in rule.get("resources") or () if "*" not in name and "/" not in name)
        named = (kind_for(group, version, name) for group in groups for version in versions for name in resources)
        for count, kind in enumerate((each for each in named if each is not None), 1):
            found.add(kind)
            if count == MOST_TYPES:
                return sorted(found)
    return sorted(found)


def check(policy: Object, kinds: Mapping[Kind, Type], params: Type | None) -> list[Object]:
    """expressionWarnings. `kinds`: the types of those to check whose schema is known; `params`: that of paramKind, where it is known."""
    spec = objects.spec(policy)
    typed = {} if params is None else {"params": params}
    variables = spec.get("variables") or ()
    environments = {
        kind: Environment(has_params=params is not None, variables=variables, typed={"object": known, "oldObject": known, **typed})
        for kind, known in kinds.items()
    }
    return [{"fieldRef": path, "warning": warning} for path, text in _expressions(spec) if (warning := _warning(environments, text))]


def _expressions(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for index, validation in enumerate(spec.get("validations") or ()):
        for name in ("expression", "messageExpression"):
            if name == "expression" or validation.get(name):
                yield f"spec.validations[{index}].{name}", str(validation.get(name) or "")


def _warning(environments: Mapping[Kind, Environment], text: str) -> str:
    problems = ((kind, environment.compile(text)) for kind, environment in environments.items())
    return "\n".join(f"{kind}: {problem.removeprefix(_PREFIX)}\n" for kind, problem in problems if isinstance(problem, str))


def built_in_type(api_version: str, kind: str) -> Type | None:
    name = schemas.load().type_name(api_version, kind)
    return _struct(name) if name else None


def custom_type(schema: Structural, kind: str) -> Type:
    """Of a custom resource, whose metadata is known as that of all others."""
    known = type_of(schema, kind, is_resource=True)
    if not isinstance(known, tuple) or known[0] != "object":
        return known
    return ("object", kind, {**known[2], "metadata": _struct(_META)})


@cache
def _struct(name: str) -> Type:
    bundle = schemas.load().bundle
    return ("object", name, _Fields(name)) if name in bundle else DYN


class _Fields(Mapping[str, Type]):
    """Those of a struct, read when one is looked for: a type may contain itself."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._known: dict[str, Type] | None = None

    def _read(self) -> dict[str, Type]:
        if self._known is None:
            rows = schemas.load().bundle.entry(self._name)
            self._known = {identifier: _typed(row[1]) for row in rows if (identifier := escaped(row[0]))}
        return self._known

    def __getitem__(self, name: str) -> Type:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _typed(code: str) -> Type:
    match code[0]:
        case "[":
            return ("list", _typed(code[1:]))
        case "{":
            return ("map", types.STRING, _typed(code[1:]))
        case "@":
            return _struct(code[1:])
    return _SCALARS.get(code, DYN)
