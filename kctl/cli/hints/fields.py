"""Fields that are close to one that a schema does not know: by their names, else the same name at another place."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import Any, Final

from kctl.apimachinery.resources import ResourceType
from kctl.cli.explain.text import Page
from kctl.cli.hints.close import close, question
from kctl.cli.session import Session

_INDEX: Final = re.compile(r"\[\d+\]")
_MOST_SCHEMAS: Final = 2000
_DEPTH: Final = 7
_MOST_PLACES: Final = 2


async def close_fields(session: Session, kind: str, version: str, field: str) -> str:
    """For `Kind in version "v1" cannot be handled as a Kind: strict decoding error: unknown field "spec.replicsa"`."""
    types = [one for one in await (await session.mapper()).types() if one.kind == kind and version in (one.version, one.api_version)]
    for resource in types:
        page = await _page(session, resource)
        found = near(page, _INDEX.sub("", field).split("."))
        if found:
            return question(found)
    return ""


async def close_explained(session: Session, typed: str, field: str) -> str:
    """For `explain pods.spec.contianers`: the word as typed, with what is close put in."""
    name, _, path = typed.partition(".")
    if not path:
        return ""
    resource = await (await session.mapper()).resource(name)
    words = path.split(".")
    found = near(await _page(session, resource), words[: words.index(field) + 1])
    return question(f"{name}.{one}" for one in found)


async def _page(session: Session, resource: ResourceType) -> Page:
    path = f"/openapi/v3/{'apis/' + resource.group + '/' if resource.group else 'api/'}{resource.version}"
    response = await (await session.client()).transport.raw("GET", path, headers={"Accept": "application/json"})
    document: dict[str, Any] = json.loads(response.body) if response.status == 200 else {}
    return Page(document, resource)


def near(page: Page, path: list[str]) -> list[str]:
    """Whole paths, dotted. The last word of `path` is the one that is not known."""
    root = page.root()
    schema = page.inner(root)
    for word in path[:-1]:
        schema = page.inner((schema.get("properties") or {}).get(word) or {})
    found = close(path[-1], schema.get("properties") or {}, beginnings=len(path[-1]) > 2)
    return [".".join([*path[:-1], one]) for one in found] or _elsewhere(page, root, path[-1])


def _elsewhere(page: Page, root: dict[str, Any], name: str) -> list[str]:
    """Where the schema has a field of that name, the least deep first: spec.containers > spec.template.spec.containers."""
    found: list[str] = []
    seen: set[int] = set()
    waiting: deque[tuple[dict[str, Any], tuple[str, ...]]] = deque([(page.inner(root), ())])
    for _ in range(_MOST_SCHEMAS):
        if not waiting or len(found) >= _MOST_PLACES:
            break
        schema, path = waiting.popleft()
        for key, value in (schema.get("properties") or {}).items():
            if key == name:
                found.append(".".join([*path, key]))
            elif len(path) < _DEPTH and path[:1] != ("status",) and id(inner := page.inner(value)) not in seen:
                seen.add(id(inner))
                waiting.append((inner, (*path, key)))
    return [one for one in found if one.count(".") == found[0].count(".")][:_MOST_PLACES]
