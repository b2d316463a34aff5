"""kctl get --at: lists at an exact revision, as the API has them (resourceVersionMatch=Exact). One object is a list of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, Expired, from_status
from kctl.cli.answer import Answer
from kctl.cli.builder import Selection
from kctl.cli.errors import CommandError
from kctl.cli.past import moments
from kctl.cli.session import Session
from kctl.client.transport import ApiRequest


class Getting(Protocol):
    """What is needed of `kctl get`."""

    at: str
    chunk_size: int
    sort_by: str
    ignore_not_found: bool
    errors: list[Exception]
    session: Session

    @property
    def accept(self) -> str: ...

    def query(self) -> dict[str, str]: ...

    def selectors(self) -> dict[str, str]: ...


async def fetch_past(get: Getting, selections: Sequence[Selection]) -> list[Answer]:
    """Failures go to `get.errors`."""
    meant = moments.parse(get.at, get.session.now())
    answers: list[Answer] = []
    for selection in selections:
        try:
            if isinstance(meant, int):
                revision = str(meant)
            else:
                revision = await moments.revision_of(await get.session.client(), selection.resource, selection.namespace, meant)
            answers += await _answers(get, selection, revision)
        except Expired as error:
            get.errors.append(CommandError(f"{error.message}; see kctl history for what is kept"))
        except (ApiError, CommandError) as error:
            get.errors.append(error)
    return answers


async def _answers(get: Getting, selection: Selection, revision: str) -> list[Answer]:
    client = await get.session.client()
    query = get.query() | get.selectors()
    if revision:
        query |= {"resourceVersion": revision, "resourceVersionMatch": "Exact"}
    if selection.name:
        query["fieldSelector"] = f"metadata.name={selection.name}"
    elif get.chunk_size > 0 and not get.sort_by:
        query["limit"] = str(get.chunk_size)
    answers: list[Answer] = []
    while True:
        request = ApiRequest("list", selection.resource, selection.namespace, query=query, accept=get.accept)
        page = (await client.call(request)).object
        if selection.name:
            return [_single(get, selection, page)] if _has_any(page) or not get.ignore_not_found else []
        answers.append(Answer(selection.resource, page, False))
        token = (page.get("metadata") or {}).get("continue")
        if not token:
            return answers
        query = {key: value for key, value in query.items() if not key.startswith("resourceVersion")} | {"continue": token}


def _has_any(page: Object) -> bool:
    return bool(page.get("rows") or page.get("items"))


def _single(get: Getting, selection: Selection, page: Object) -> Answer:
    resource = selection.resource
    if not _has_any(page):
        message = f'{resource.group_resource} "{selection.name}" not found at {get.at}'
        raise from_status({"status": "Failure", "reason": "NotFound", "code": 404, "message": message})
    if page.get("kind") == "Table":
        return Answer(resource, page, True)
    return Answer(resource, {"apiVersion": resource.api_version, "kind": resource.kind, **page["items"][0]}, True)
