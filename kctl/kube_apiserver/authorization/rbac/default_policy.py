"""The roles and bindings of a new cluster (upstream's bootstrappolicy), read from default_policy.txt role by role as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.rbac.matching import Matcher, Rule, matchers
from kctl.apimachinery.rbac.names import AGGREGATE_TO, AUTOUPDATE, BOOTSTRAPPING, GROUP
from kctl.kube_apiserver.authorization.rbac.bindings import BindingIndex

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_VERBS = {"read": _READ, "write": _WRITE, "all": sorted(_READ + _WRITE)}
_EVENTS = "create,patch,update core,events.k8s.io events"
_CONTROLLER = "system:controller:"
_ACCOUNTS = "kube-system"


class DefaultRole:
    """One role of the table and its binding; their objects are made when somebody wants them."""

    def __init__(self, words: list[str], lines: list[str]) -> None:
        self.namespace, _, self.name = words[0].rpartition("/")
        self._lines = lines
        self._subjects = [word for word in words[1:] if word[0].isupper()]
        self._options = dict(word.split("=") for word in words[1:] if "=" in word)
        if self.name[0] == "@":
            self._subjects.append(f"Account:{self.name[1:]}")
            self.name = _CONTROLLER + self.name[1:]
        self._ours = "ours" in words
        self.bound = bool(self._subjects) or "bound" in words

    def rules(self) -> list[Rule]:
        return [_rule(line) for line in self._lines]

    def role(self) -> Object:
        """A Role, or a ClusterRole. The rules of one that gathers others are left to the controller that does so."""
        labels = {AGGREGATE_TO + self._options["to"]: "true"} if "to" in self._options else {}
        role = self._object("Role" if self.namespace else "ClusterRole", self.name, labels)
        if "from" in self._options:
            selector = {"matchLabels": {AGGREGATE_TO + self._options["from"]: "true"}}
            return {**role, "aggregationRule": {"clusterRoleSelectors": [selector]}, "rules": None}
        return {**role, "rules": self.rules()}

    def binding(self) -> Object:
        kind = "Role" if self.namespace else "ClusterRole"
        binding = self._object(f"{kind}Binding", self._options.get("binding", self.name), {})
        binding["roleRef"] = {"apiGroup": GROUP, "kind": kind, "name": self.name}
        if self._subjects:
            binding["subjects"] = [_subject(word) for word in self._subjects]
        return binding

    def _object(self, kind: str, name: str, labels: dict[str, str]) -> Object:
        origin = {"app.kubernetes.io/managed-by": "kctl"} if self._ours else {BOOTSTRAPPING: "rbac-defaults"}
        meta: dict[str, Any] = {
            "name": name,
            "labels": {**origin, **labels},
            "annotations": {AUTOUPDATE: "true"},
        }
        if self.namespace:
            meta["namespace"] = self.namespace
        return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": meta}


def _rule(line: str) -> Rule:
    verbs, groups, resources, *names = (_EVENTS if line == "events" else line).split()
    rule: Rule = {"verbs": list(_VERBS.get(verbs) or verbs.split(","))}
    if groups == "urls":
        return {**rule, "nonResourceURLs": resources.split(",")}
    rule["apiGroups"] = ["" if group == "core" else group for group in groups.split(",")]
    rule["resources"] = resources.split(",")
    if names:
        rule["resourceNames"] = names[0].split(",")
    return rule


def _subject(word: str) -> dict[str, str]:
    kind, _, name = word.partition(":")
    if kind == "Account":
        return {"kind": "ServiceAccount", "name": name, "namespace": _ACCOUNTS}
    return {"kind": kind, "apiGroup": GROUP, "name": name}


@cache
def default_roles() -> dict[tuple[str, str], DefaultRole]:
    """By namespace ('' for ClusterRoles) and name, in the order of the table."""
    text = files(__package__ or __name__.rpartition(".")[0]).joinpath("default_policy.txt").read_text()
    roles = (DefaultRole(words, lines) for words, lines in _sections(text))
    return {(role.namespace, role.name): role for role in roles}


def _sections(text: str) -> Iterator[tuple[list[str], list[str]]]:
    words: list[str] = []
    lines: list[str] = []
    for line in text.split("\n"):
        if not line or line[0] == "#":
            continue
        if line[0] == " ":
            lines.append(line.strip())
            continue
        if words:
            yield words, lines
        words, lines = line.split(), []
    yield words, lines


@cache
def rules_of(namespace: str, name: str) -> tuple[Rule, ...]:
    """Of a default role; none of one that is not there. Values: nobody changes them."""
    role = default_roles().get((namespace, name))
    return tuple(role.rules()) if role is not None else ()


@cache
def matchers_of(namespace: str, name: str) -> tuple[Matcher, ...]:
    return matchers(rules_of(namespace, name))


@cache
def default_bindings(*, namespaced: bool) -> BindingIndex:
    """For a copy."""
    index = BindingIndex()
    index.load(role.binding() for role in default_roles().values() if role.bound and bool(role.namespace) == namespaced)
    return index
