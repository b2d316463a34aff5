"""How an answer is shown: as the object, as metadata only (PartialObjectMetadata), or as a Table with kubectl's columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, assert_never

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import BadRequest, NotAcceptable
from kctl.kube_apiserver import media_types
from kctl.kube_apiserver.columns.columns import Columns
from kctl.kube_apiserver.media_types import MediaType
from kctl.kube_apiserver.registry.served_resource import ServedResource
from kctl.kube_apiserver.request import Request, ResourceRequest
from kctl.kube_apiserver.response import ListAnswer, ObjectAnswer
from kctl.kube_apiserver.watch_cache import Change

_LISTING = ("list", "deletecollection")
"""Verbs that answer with a list."""


def check(request: ResourceRequest) -> None:
    """Refuses an Accept that the answer cannot meet before anything is read or written: afterwards the client would take what is
    stored for refused. Raises NotAcceptable, BadRequest."""
    if not request.accept or request.verb == "connect" or request.subresource == "log":
        return
    media = request.media()
    if media.target == "Table":
        if request.verb == "create" and (request.subresource or request.resource.verbs == ("create",)):
            _take_out_tables(request)
            return
        included(request)
    elif media.target == "APIGroupDiscoveryList":
        raise NotAcceptable(media_types.ONLY)
    elif media.target == "PartialObjectMetadata" and request.verb in _LISTING:
        raise _a_list(request.resource)
    elif media.target == "PartialObjectMetadataList" and request.verb not in (*_LISTING, "watch"):
        raise no_list(request.resource)


def _take_out_tables(request: ResourceRequest) -> None:
    """What is answered and not stored has no columns: the next choice of the client's counts. Raises NotAcceptable."""
    others = [clause for clause in request.accept.split(",") if "as=Table" not in clause]
    if not others:
        raise NotAcceptable(media_types.ONLY)
    request.accept = ",".join(others)
    check(request)


def in_process(request: Request, answer: ObjectAnswer | ListAnswer, now: datetime) -> Object:
    """A whole answer as the Accept of an in-process request wants it."""
    return shown(request.media(), request, answer, now)


def shown(media: MediaType, request: Request, answer: ObjectAnswer | ListAnswer, now: datetime) -> Object:
    """The answer as one object. Raises NotAcceptable, BadRequest."""
    match answer:
        case ListAnswer():
            return _shown_list(media, request, answer, now)
        case ObjectAnswer():
            return _shown_object(media, request, answer, now)
    assert_never(answer)


def _shown_list(media: MediaType, request: Request, answer: ListAnswer, now: datetime) -> Object:
    if media.target == "":
        return answer.object()
    head, key, values = listed(media, request, answer, now)
    return {**head, key: list(values)}


def _shown_object(media: MediaType, request: Request, answer: ObjectAnswer, now: datetime) -> Object:
    obj, endpoint = answer.object, answer.endpoint
    if media.target == "" or endpoint is None:
        return obj
    version = f"meta.k8s.io/{media.target_version}"
    if media.target == "Table":
        first = obj["metadata"].get("resourceVersion")
        return table(endpoint, [obj], {"resourceVersion": first} if first else {}, request, now, version, answer.columns)
    if media.target == "PartialObjectMetadata":
        return partial_metadata(obj, version)
    raise no_list(endpoint.resource)


def listed(media: MediaType, request: Request, listing: ListAnswer, now: datetime) -> tuple[Object, str, Iterable[Object]]:
    """A list as Table or metadata only: the document without its parts, the parts' name, and they, made one by one.
    Raises NotAcceptable, BadRequest."""
    endpoint, version = listing.endpoint, f"meta.k8s.io/{media.target_version}"
    found = (endpoint.from_storage(entry.object) if endpoint.converts else entry.object for entry in listing.entries)
    if media.target == "Table":
        columns, include = endpoint.columns, included(request)
        head = table(endpoint, (), listing.metadata(), request, now, version)
        del head["rows"]
        ordered = found if columns.order is None else sorted(found, key=columns.order)
        return head, "rows", (row(columns, obj, include, now, version) for obj in ordered)
    if media.target == "PartialObjectMetadata":
        raise _a_list(endpoint.resource)
    head = {"kind": "PartialObjectMetadataList", "apiVersion": version, "metadata": listing.metadata()}
    return head, "items", (partial_metadata(obj, version) for obj in found)


_VERSIONED_ANNOTATIONS = {
    "DaemonSet": ("deprecated.daemonset.template.generation",),
    "HorizontalPodAutoscaler": ("autoscaling.alpha.kubernetes.io/",),
}
"""Prefixes of annotations that stand for fields: upstream adds them when it writes the object, not to its metadata alone."""


def _a_list(resource: ResourceType) -> NotAcceptable:
    name = f"*{resource.group.partition('.')[0] or 'core'}.{resource.kind}List"
    return NotAcceptable(f"you requested PartialObjectMetadata, but the requested object is a list ({name})")


def no_list(resource: ResourceType) -> NotAcceptable:
    name = f"*{resource.group.partition('.')[0] or 'core'}.{resource.kind}"
    return NotAcceptable(f"you requested PartialObjectMetadataList, but the requested object is not a list ({name})")


def partial_metadata(obj: Object, version: str = "meta.k8s.io/v1") -> Object:
    meta = obj.get("metadata") or {}
    prefixes = _VERSIONED_ANNOTATIONS.get(obj.get("kind") or "")
    if prefixes is not None and meta.get("annotations"):
        kept = {key: value for key, value in meta["annotations"].items() if not key.startswith(prefixes)}
        meta = {**meta, "annotations": kept}
        if not kept:
            del meta["annotations"]
    return {"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": meta}


def table(
    endpoint: ServedResource,
    found: Sequence[Object],
    meta: Object,
    request: Request,
    now: datetime,
    version: str,
    columns: Columns | None = None,
) -> Object:
    columns = columns or endpoint.columns
    include = included(request)
    if columns.order is not None:
        found = sorted(found, key=columns.order)
    return {
        "kind": "Table",
        "apiVersion": version,
        "metadata": meta,
        "columnDefinitions": [column.definition() for column in columns.columns],
        "rows": [row(columns, obj, include, now, version) for obj in found],
    }


def included(request: Request) -> str:
    """includeObject: what of the object each row carries. Raises BadRequest."""
    include = request.query.get("includeObject") or "Metadata"
    if include not in ("None", "Metadata", "Object"):
        raise BadRequest(
            f"Unable to convert to Table as requested: includeObject: Invalid value: \"{include}\": must be 'Metadata', "
            "'Object', 'None', or empty"
        )
    return include


def row(columns: Columns, obj: Object, include: str, now: datetime, version: str) -> dict[str, Any]:
    made: dict[str, Any] = {"cells": columns.row(obj, now)}
    if columns.conditions is not None:
        conditions = columns.conditions(obj)
        if conditions:
            made["conditions"] = conditions
    if include == "Object":
        made["object"] = obj
    elif include == "Metadata":
        made["object"] = partial_metadata(obj, version)
    else:
        made["object"] = None
    return made


def check_stream(request: ResourceRequest) -> None:
    """Raises NotAcceptable or BadRequest for what a watch cannot be shown as: once it has begun there is no way to say so."""
    media = request.media()
    if media.name not in media_types.STREAMED:
        raise NotAcceptable(media_types.ONLY_STREAMS)
    if media.target == "Table":
        included(request)
    elif media.target not in ("", "PartialObjectMetadata"):
        raise no_list(request.resource)


def event_shower(request: Request, endpoint: ServedResource, now: Callable[[], datetime]) -> Callable[[Change], Object] | None:
    """What a watch's events carry instead of the object; None for the object itself. The first Table of a watch has the
    column definitions, later ones do not."""
    media = request.media()
    if not media.target:
        return None
    version = f"meta.k8s.io/{media.target_version}"
    if media.target == "PartialObjectMetadata":
        return lambda change: partial_metadata(change.entry.object, version)
    if media.target != "Table":
        raise NotAcceptable(media_types.ONLY)
    first = True

    def as_table(change: Change) -> Object:
        nonlocal first
        obj = endpoint.from_storage(change.entry.object)
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        made = table(endpoint, [obj], meta, request, now(), version)
        if not first:
            made["columnDefinitions"] = None
        first = False
        return made

    return as_table
