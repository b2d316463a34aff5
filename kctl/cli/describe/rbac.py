"""`kctl describe` of RBAC: Roles and ClusterRoles with their rules in one compact table, and the bindings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client

_Key = tuple[str, str, str, str]
"""Resource, API group, URL, object name."""


def _head(out: Writer, obj: Object) -> None:
    meta = objects.metadata(obj)
    out.line(0, f"Name:\t{meta['name']}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))


async def describe_role(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    """Roles and ClusterRoles. They have no events."""
    out = Writer()
    _head(out, obj)
    out.line(0, "PolicyRule:")
    out.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs")
    out.line(1, "---------\t-----------------\t--------------\t-----")
    for resource, url, name, verbs in compact(obj.get("rules") or ()):
        out.line(1, f"{resource}\t[{url}]\t[{name}]\t[{' '.join(verbs)}]")
    return out.text()


def compact(rules: Sequence[Object]) -> list[tuple[str, str, str, list[str]]]:
    """(resource, URL, object name, verbs) of every single permission; the verbs of those about one resource together."""
    by_key: dict[_Key, list[str]] = {}
    paths: list[tuple[_Key, list[str]]] = []
    for rule in rules:
        paths += [(("", "", url, ""), [verb]) for url in rule.get("nonResourceURLs") or () for verb in rule.get("verbs") or ()]
        for key in _simple(rule):
            by_key.setdefault(key, [])
            by_key[key] += [verb for verb in rule.get("verbs") or () if verb not in by_key[key]]
    rows = sorted((_text(key, verbs), key, verbs) for key, verbs in [*paths, *by_key.items()])
    return [(_with_group(resource, group), url, name, verbs) for _, (resource, group, url, name), verbs in rows]


def _with_group(resource: str, group: str) -> str:
    """deployments.apps/scale"""
    plural, slash, subresource = resource.partition("/")
    return f"{plural}.{group}{slash}{subresource}" if group else resource


def _text(key: _Key, verbs: Sequence[str]) -> str:
    """Rules stand in the order of their Go texts, which begin with the verbs."""
    resource, group, url, name = key
    groups = "" if url else f"[{group}]"
    return f"[{' '.join(verbs)}],{groups or '[]'},[{resource}],[{name}],[{url}]"


def _simple(rule: Object) -> Iterator[_Key]:
    names = rule.get("resourceNames") or ("",)
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for name in names:
                yield (resource, group, "", name)


async def describe_binding(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    """RoleBindings and ClusterRoleBindings."""
    out = Writer()
    _head(out, obj)
    role = obj.get("roleRef") or {}
    out.line(0, "Role:")
    out.line(1, f"Kind:\t{role.get('kind', '')}")
    out.line(1, f"Name:\t{role.get('name', '')}")
    out.line(0, "Subjects:")
    out.line(1, "Kind\tName\tNamespace")
    out.line(1, "----\t----\t---------")
    for subject in obj.get("subjects") or ():
        out.line(1, f"{subject.get('kind', '')}\t{subject.get('name', '')}\t{subject.get('namespace', '')}")
    return out.text()
