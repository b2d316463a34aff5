"""namespace-controller: empties a namespace that is being deleted, then takes its finalizer away.

Pods go first, and nothing else is touched while one is left: what they use must outlive them. Then every other kind the
server serves at that moment, custom ones too (namespaced_resources_deleter).
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Source
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES, PODS, ResourceType
from kctl.apimachinery.status import ApiError, Conflict, MethodNotSupported, NotFound
from kctl.apimachinery.times import rfc3339
from kctl.client.discovery import discover_all, preferred
from kctl.client.errors import ConnectionFailed

_FINALIZER = "kubernetes"
_FIRST_LOOK_SECONDS = 0.05
_LONGEST_LOOK_SECONDS = 2.0


def deletable(types: Sequence[ResourceType]) -> list[ResourceType]:
    """Namespaced resources other than pods; events once, which two groups serve."""
    return [
        resource
        for resource in sorted(preferred(types), key=lambda resource: resource.group_resource)
        if resource.namespaced and {"list", "delete"} <= set(resource.verbs) and resource.group != "events.k8s.io" and resource != PODS
    ]


class _Remains:
    """What is left in one namespace, and the kinds still to look at; None while they are not known. Nothing can be created
    there any more, so a kind once empty stays empty, and one that appears later has nothing there."""

    def __init__(self) -> None:
        self.kinds: list[ResourceType] | None = None
        self.pods = True
        self.looks = 0
        self.content: Counter[str] = Counter()
        self.finalizers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.unknown: list[str] = []
        """Why not all kinds could be found."""

    @property
    def nothing(self) -> bool:
        return not (self.pods or self.kinds is None or self.kinds or self.failures or self.unknown)

    def next_look_seconds(self) -> float:
        self.looks += 1
        return min(_FIRST_LOOK_SECONDS * (1 << min(self.looks, 10)), _LONGEST_LOOK_SECONDS)


class NamespaceController(LoopController):
    name = "namespace-controller"
    workers = 10

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._clock = context.clock
        self._namespaces = context.informers.informer(NAMESPACES)
        self._remains: dict[str, tuple[str, _Remains]] = {}

    def wakes(self) -> Sequence[Source]:
        return (For(NAMESPACES, when=_deletion_begins_or_ends),)

    async def reconcile(self, key: str) -> Result | None:
        namespace = self._namespaces.get(key)
        if namespace is None or not objects.deletion_timestamp(namespace):
            self._remains.pop(key, None)
            return None
        if _FINALIZER not in (objects.spec(namespace).get("finalizers") or ()):
            return None
        remains = self._remains_of(namespace)
        await self._empty(key, remains)
        if not remains.nothing:
            await self._write_conditions(namespace, remains)
            return Result(requeue_after=remains.next_look_seconds())
        await self._finalize(namespace)
        return None

    def _remains_of(self, namespace: Object) -> _Remains:
        name, uid = objects.name(namespace), objects.uid(namespace)
        known, remains = self._remains.get(name, ("", _Remains()))
        if known != uid:
            remains = _Remains()
        self._remains[name] = uid, remains
        return remains

    async def _empty(self, namespace: str, remains: _Remains) -> None:
        remains.content.clear()
        remains.finalizers.clear()
        remains.failures.clear()
        if remains.pods:
            remains.pods = bool(await self._what_is_left(namespace, [PODS], remains))
            if remains.pods:
                return
        if remains.kinds is None or remains.unknown:
            await self._find_kinds(remains)
        if remains.kinds is not None:
            remains.kinds = await self._what_is_left(namespace, remains.kinds, remains)

    async def _find_kinds(self, remains: _Remains) -> None:
        try:
            found = await discover_all(self._client.transport)
        except (ApiError, ConnectionFailed) as error:
            remains.unknown = [str(error)]
        else:
            remains.kinds = deletable(found.types)
            remains.unknown = [f"{version}: stale GroupVersion discovery: {version}" for version in sorted(found.stale)]

    async def _what_is_left(self, namespace: str, kinds: Sequence[ResourceType], remains: _Remains) -> list[ResourceType]:
        """Deletes everything of these kinds; those of which something is left."""
        left = []
        for resource in kinds:
            try:
                if await self._empty_of(namespace, resource, remains):
                    left.append(resource)
            except (NotFound, MethodNotSupported):
                continue  # not served
            except ApiError as error:
                remains.failures.append(error.message)
                left.append(resource)
        return left

    async def _empty_of(self, namespace: str, resource: ResourceType, remains: _Remains) -> bool:
        """Says whether anything of the kind is left."""
        items = (await self._client.list(resource, namespace)).get("items") or ()
        if any(not objects.deletion_timestamp(item) for item in items):
            await self._delete_all(namespace, resource, items)
            items = (await self._client.list(resource, namespace)).get("items") or ()
        for item in items:
            remains.finalizers.update(objects.finalizers(item))
        if items:
            remains.content[f"{resource.plural}.{resource.group}"] = len(items)
        return bool(items)

    async def _delete_all(self, namespace: str, resource: ResourceType, items: Sequence[Object]) -> None:
        if "deletecollection" in resource.verbs:
            await self._client.delete_collection(resource, namespace, propagation_policy="Background")
            return
        for item in items:
            if not objects.deletion_timestamp(item):
                with contextlib.suppress(NotFound):
                    await self._client.delete(resource, objects.name(item), namespace, propagation_policy="Background")

    async def _write_conditions(self, namespace: Object, remains: _Remains) -> None:
        conditions = _conditions(objects.status(namespace).get("conditions") or (), remains, rfc3339(self._clock.now()))
        if conditions != objects.status(namespace).get("conditions"):
            try:
                written = await self._client.update_status(NAMESPACES, objects.with_status(namespace, conditions=conditions))
            except (Conflict, NotFound):
                return  # next time
            self._namespaces.observe([written])

    async def _finalize(self, namespace: Object) -> None:
        left = [name for name in objects.spec(namespace).get("finalizers") or () if name != _FINALIZER]
        spec = {key: value for key, value in objects.spec(namespace).items() if key != "finalizers"}
        wanted = objects.replace(namespace, spec={**spec, "finalizers": left} if left else spec)
        try:
            await self._client.update(NAMESPACES, wanted, subresource="finalize")
        except NotFound:
            return


def _deletion_begins_or_ends(old: Object | None, new: Object | None) -> bool:
    if new is None:
        return True
    return bool(objects.deletion_timestamp(new)) and (old is None or not objects.deletion_timestamp(old))


def _conditions(before: Sequence[dict[str, Any]], remains: _Remains, now: str) -> list[dict[str, Any]]:
    content = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(remains.content.items()))
    finalizers = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(remains.finalizers.items()))
    failures = ", ".join(sorted(remains.failures))
    told = [
        ("DiscoveryFailure", "", "ResourcesDiscovered", "All resources successfully discovered"),
        ("GroupVersionParsingFailure", "", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    ]
    if remains.unknown:
        why = f"unable to retrieve the complete list of server APIs: {', '.join(remains.unknown)}"
        told[0] = ("DiscoveryFailure", "x", "DiscoveryFailed", f"Discovery failed for some groups, {len(remains.unknown)} failing: {why}")
    if failures:
        text = f"Failed to delete all resource types, {len(remains.failures)} remaining: {failures}"
        told.append(("ContentFailure", "x", "ContentDeletionFailed", text))
    else:
        text = "All content successfully deleted, may be waiting on finalization"
        told.append(("ContentFailure", "", "ContentDeleted", text))
    conditions = [(f"NamespaceDeletion{kind}", *rest) for kind, *rest in told]
    if content:
        text = f"Some resources are remaining: {content}"
        conditions.append(("NamespaceContentRemaining", "x", "SomeResourcesRemain", text))
    else:
        conditions.append(("NamespaceContentRemaining", "", "ContentRemoved", "All content successfully removed"))
    if finalizers:
        text = f"Some content in the namespace has finalizers remaining: {finalizers}"
        conditions.append(("NamespaceFinalizersRemaining", "x", "SomeFinalizersRemain", text))
    else:
        text = "All content-preserving finalizers finished"
        conditions.append(("NamespaceFinalizersRemaining", "", "ContentHasNoFinalizers", text))
    known = {condition["type"]: condition for condition in before}
    return [_condition(known.get(kind), kind, bool(bad), reason, text, now) for kind, bad, reason, text in conditions]


def _condition(before: dict[str, Any] | None, kind: str, bad: bool, reason: str, message: str, now: str) -> dict[str, Any]:
    status = "True" if bad else "False"
    since = before["lastTransitionTime"] if before is not None and before["status"] == status else now
    return {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
