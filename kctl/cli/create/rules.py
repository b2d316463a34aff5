"""--verb, --resource, --resource-name of create role and clusterrole as RBAC rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.cli.errors import AggregateError, CommandError
from kctl.cli.session import Session
from kctl.client.discovery import NoResource

_VERBS = {
    "get",
    "delete",
    "list",
    "create",
    "update",
    "patch",
    "watch",
    "proxy",
    "redirect",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
    "*",
    "approve",
    "sign",
    "attest",
}


def check_verbs(session: Session, verbs: Sequence[str]) -> list[str]:
    """Each once; `*` alone where it is given."""
    if not verbs:
        raise CommandError("at least one verb must be specified")
    distinct = list(dict.fromkeys(verbs))
    if "*" in distinct:
        return ["*"]
    for verb in distinct:
        if verb not in _VERBS:
            session.error(f"Warning: '{verb}' is not a standard resource verb")
    return distinct


async def rules(session: Session, verbs: Sequence[str], resources: Sequence[str], names: Sequence[str]) -> list[dict[str, Any]]:
    """One rule for each API group, in the order the groups are first named."""
    if not resources:
        raise CommandError("at least one resource must be specified")
    groups: dict[str, list[str]] = {}
    for text in dict.fromkeys(resources):
        group, resource = await _resource(session, text)
        groups.setdefault(group, []).append(resource)
    made = []
    for group in sorted(groups):
        rule: dict[str, Any] = {"verbs": list(verbs), "apiGroups": [group], "resources": groups[group]}
        if names:
            rule["resourceNames"] = list(dict.fromkeys(names))
        made.append(rule)
    return made


async def _resource(session: Session, text: str) -> tuple[str, str]:
    name, _, subresource = text.partition("/")
    if name == "*":
        return "*", "*"
    try:
        resource = await (await session.mapper()).resource(name)
    except NoResource as error:
        raise AggregateError([CommandError(str(error))]) from None
    return resource.group, f"{resource.plural}/{subresource}" if subresource else resource.plural
