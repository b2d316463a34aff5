"""What every component and command holds to talk to kube-apiserver (client-go's role), over any Transport.

Objects that come back are values: never change one in place. All methods raise
kctl.apimachinery.status.ApiError subclasses for the server's refusals.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, ResourceType
from kctl.client.transport import (
    MERGE_PATCH,
    NO_QUERY,
    ApiRequest,
    ApiResponse,
    Transport,
    WatchEvent,
)


class Client:
    """`field_manager` is sent with every write that does not name another."""

    def __init__(self, transport: Transport, *, field_manager: str = "") -> None:
        self.transport = transport
        self.field_manager = field_manager

    async def close(self) -> None:
        await self.transport.close()

    def _write_query(self, dry_run: bool, field_manager: str, field_validation: str = "", force: bool = False) -> Mapping[str, str]:
        manager = field_manager or self.field_manager
        if not (manager or dry_run or field_validation or force):
            return NO_QUERY  # what components send, thousands of times
        query = {"fieldValidation": field_validation} if field_validation else {}
        if force:
            query["force"] = "true"
        if dry_run:
            query["dryRun"] = "All"
        if manager:
            query["fieldManager"] = manager
        return query

    async def get(
        self,
        resource: ResourceType,
        name: str,
        namespace: str = "",
        *,
        subresource: str = "",
        resource_version: str = "",
    ) -> Object:
        query = {"resourceVersion": resource_version} if resource_version else {}
        request = ApiRequest("get", resource, namespace, name, subresource, query)
        return (await self.transport.request(request)).object

    async def list(
        self,
        resource: ResourceType,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
        resource_version_match: str = "",
    ) -> Object:
        """The list object: {"metadata": {"resourceVersion": ..., "continue": ...}, "items": [...]}; '' = all namespaces."""
        query = _selectors(label_selector, field_selector, resource_version)
        if limit:
            query["limit"] = str(limit)
        if continue_token:
            query["continue"] = continue_token
        if resource_version_match:
            query["resourceVersionMatch"] = resource_version_match
        return (await self.transport.request(ApiRequest("list", resource, namespace, query=query))).object

    async def watch(
        self,
        resource: ResourceType,
        namespace: str = "",
        *,
        name: str = "",
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        send_initial_events: bool = False,
        allow_bookmarks: bool = True,
        timeout_seconds: int = 0,
        until_now: bool = False,
    ) -> AsyncIterator[Sequence[WatchEvent]]:
        """Batches of events from `resource_version` on. With send_initial_events the present state comes first, ended by a
        BOOKMARK with the annotation k8s.io/initial-events-end. The iterator ends when the server ends the watch; an ERROR
        event (e.g. 410 Expired) is the last. `aclose()` it to stop. `until_now` asks a server of kctl's to end the watch when it has told
        what has happened so far; others do not know that and need `timeout_seconds`."""
        query = _selectors(label_selector, field_selector, resource_version)
        if send_initial_events:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        if allow_bookmarks:
            query["allowWatchBookmarks"] = "true"
        if timeout_seconds:
            query["timeoutSeconds"] = str(timeout_seconds)
        if until_now:
            query["kctl.dev/until"] = "now"
        response = await self.transport.request(ApiRequest("watch", resource, namespace, name, query=query))
        assert response.events is not None
        return response.events

    async def create(
        self,
        resource: ResourceType,
        obj: Object,
        namespace: str = "",
        *,
        dry_run: bool = False,
        field_manager: str = "",
        field_validation: str = "",
    ) -> Object:
        query = self._write_query(dry_run, field_manager, field_validation)
        space = namespace or objects.namespace(obj)
        return (await self.transport.request(ApiRequest("create", resource, space, query=query, body=obj))).object

    async def update(
        self,
        resource: ResourceType,
        obj: Object,
        *,
        subresource: str = "",
        dry_run: bool = False,
        field_manager: str = "",
    ) -> Object:
        """Replace; metadata.resourceVersion, where set, must be the present one (else Conflict)."""
        query = self._write_query(dry_run, field_manager)
        request = ApiRequest("update", resource, objects.namespace(obj), objects.name(obj), subresource, query, obj)
        return (await self.transport.request(request)).object

    def update_status(self, resource: ResourceType, obj: Object) -> Coroutine[Any, Any, Object]:
        """`update` of the status alone."""
        return self.update(resource, obj, subresource="status")

    async def patch(
        self,
        resource: ResourceType,
        name: str,
        patch: Any,
        namespace: str = "",
        *,
        patch_type: str = MERGE_PATCH,
        subresource: str = "",
        dry_run: bool = False,
        field_manager: str = "",
        field_validation: str = "",
        force: bool = False,
    ) -> Object:
        query = self._write_query(dry_run, field_manager, field_validation, force)
        request = ApiRequest("patch", resource, namespace, name, subresource, query, patch, patch_type)
        return (await self.transport.request(request)).object

    async def delete(
        self,
        resource: ResourceType,
        name: str,
        namespace: str = "",
        *,
        grace_period_seconds: int | None = None,
        propagation_policy: str = "",
        uid: str = "",
        resource_version: str = "",
        dry_run: bool = False,
    ) -> Object:
        """The deleted object, or a Status, as the server answers. propagation_policy: Background, Foreground, Orphan."""
        options = _delete_options(grace_period_seconds, propagation_policy, uid, resource_version, dry_run)
        return (await self.transport.request(ApiRequest("delete", resource, namespace, name, body=options))).object

    async def delete_collection(
        self,
        resource: ResourceType,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        grace_period_seconds: int | None = None,
        propagation_policy: str = "",
    ) -> Object:
        query = _selectors(label_selector, field_selector, "")
        options = _delete_options(grace_period_seconds, propagation_policy, "", "", False)
        request = ApiRequest("deletecollection", resource, namespace, query=query, body=options)
        return (await self.transport.request(request)).object

    async def create_subresource(self, resource: ResourceType, name: str, namespace: str, subresource: str, body: Object) -> Object:
        """pods/binding, pods/eviction, serviceaccounts/token."""
        query = self._write_query(False, "")
        request = ApiRequest("create", resource, namespace, name, subresource, query, body)
        return (await self.transport.request(request)).object

    async def bind(self, namespace: str, pod: str, node: str, *, uid: str = "") -> None:
        meta = {"name": pod, "namespace": namespace} | ({"uid": uid} if uid else {})
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": meta, "target": {"kind": "Node", "name": node}}
        await self.transport.request(ApiRequest("create", PODS, namespace, pod, "binding", self._write_query(False, ""), body))

    async def logs(self, pod: str, namespace: str, **query: str) -> AsyncIterator[bytes]:
        """Chunks of a container's log; `query`: container, follow, tailLines, sinceSeconds, timestamps, previous..."""
        response = await self.transport.request(ApiRequest("get", PODS, namespace, pod, "log", query))
        assert response.text is not None
        return response.text

    async def call(self, request: ApiRequest) -> ApiResponse:
        """The whole response, for callers that need warnings, tables or the status code."""
        return await self.transport.request(request)


def _selectors(label_selector: str, field_selector: str, resource_version: str) -> dict[str, str]:
    query = {"labelSelector": label_selector, "fieldSelector": field_selector, "resourceVersion": resource_version}
    return {key: value for key, value in query.items() if value}


def _delete_options(
    grace_period_seconds: int | None, propagation_policy: str, uid: str, resource_version: str, dry_run: bool
) -> Object | None:
    options: Object = {}
    if grace_period_seconds is not None:
        options["gracePeriodSeconds"] = grace_period_seconds
    if propagation_policy:
        options["propagationPolicy"] = propagation_policy
    if uid or resource_version:
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        options["preconditions"] = {key: value for key, value in preconditions.items() if value}
    if dry_run:
        options["dryRun"] = ["All"]
    return {"kind": "DeleteOptions", "apiVersion": "v1", **options} if options else None
