"""Groups and versions of extension API servers among this server's own, in the order of their priorities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.kube_apiserver.aggregation import priorities
from kctl.kube_apiserver.aggregation.aggregator import Aggregator
from kctl.kube_apiserver.aggregation.remote import Remote, ordered

Document = dict[str, Any]


def _by_group(aggregator: Aggregator) -> dict[str, list[Remote]]:
    """Their versions, preferred first."""
    groups: dict[str, list[Remote]] = {}
    for remote in aggregator.remotes:
        groups.setdefault(remote.group, []).append(remote)
    return {group: ordered(remotes) for group, remotes in groups.items()}


Make = Callable[[str, list[Remote], Document | None], Document]


def _merged(own: list[Document], aggregator: Aggregator, name_of: Callable[[Document], str], make: Make) -> list[Document]:
    """`make` gets what this server has of the group itself, or None."""
    merged = list(own)
    for group, remotes in sorted(_by_group(aggregator).items(), key=lambda item: (-_priority(item[1]), item[0])):
        names = [name_of(entry) for entry in merged]
        if group in names:
            index = names.index(group)
            merged[index] = make(group, remotes, merged[index])
            continue
        wanted = _priority(remotes)
        place = next((index for index, name in enumerate(names) if _own_priority(aggregator, name) < wanted), len(merged))
        merged.insert(place, make(group, remotes, None))
    return merged


def _priority(remotes: list[Remote]) -> int:
    return max(remote.group_priority for remote in remotes)


def _own_priority(aggregator: Aggregator, group: str) -> int:
    remotes = _by_group(aggregator).get(group)
    return _priority(remotes) if remotes else priorities.OF_GROUPS.get(group, priorities.OF_CUSTOM_GROUPS)


def _group(group: str, remotes: list[Remote], own: Document | None) -> Document:
    versions = [{"groupVersion": f"{group}/{remote.version}", "version": remote.version} for remote in remotes]
    taken = {remote.version for remote in remotes}
    versions += [each for each in (own or {}).get("versions") or () if each["version"] not in taken]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def group_list(document: Document, aggregator: Aggregator) -> Document:
    """An APIGroupList with theirs."""
    return {**document, "groups": _merged(document["groups"], aggregator, lambda entry: str(entry["name"]), _group)}


def group(document: Document | None, name: str, aggregator: Aggregator) -> Document | None:
    """An APIGroup with their versions; None where nobody has such a group."""
    remotes = _by_group(aggregator).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, remotes, document)} if remotes else document


def aggregated(document: Document, aggregator: Aggregator) -> Document:
    """An APIGroupDiscoveryList with theirs."""
    documents = aggregator.documents

    def make(name: str, remotes: list[Remote], own: Document | None) -> Document:
        versions = [documents[remote.key].version_discovery() for remote in remotes]
        taken = {remote.version for remote in remotes}
        versions += [each for each in (own or {}).get("versions") or () if each["version"] not in taken]
        return {"metadata": {"name": name}, "versions": versions}

    return {**document, "items": _merged(document["items"], aggregator, lambda entry: str(entry["metadata"].get("name", "")), make)}
