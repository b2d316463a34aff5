"""namespace-controller: empties a namespace that is being deleted, kind by kind, then takes its finalizer away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from controllers.runtime.controller import Controller
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import BUILT_IN, NAMESPACES, ResourceType
from kctl.apimachinery.status import ApiError, Conflict, MethodNotSupported, NotFound
from kctl.apimachinery.times import rfc3339

_FINALIZER = "kubernetes"
_FIRST_LOOK_SECONDS = 0.05
_LONGEST_LOOK_SECONDS = 2.0


def deletable(types: Sequence[ResourceType] = BUILT_IN) -> list[ResourceType]:
    """Namespaced resources, each once. Pods first: what they use should outlive them."""
    found: dict[tuple[str, str], ResourceType] = {}
    for entry in types:
        if entry.namespaced and {"list", "delete"} <= set(entry.verbs) and entry.group != "events.k8s.io":
            found.setdefault((entry.group, entry.plural), entry)
    return sorted(found.values(), key=lambda entry: (entry.kind != "Pod", entry.group_resource))


class _Remains:
    """What is left in one namespace, and the kinds still to look at."""

    def __init__(self) -> None:
        self.kinds = deletable()
        self.looks = 0
        self.content: Counter[str] = Counter()
        self.finalizers: Counter[str] = Counter()
        self.failures: list[str] = []

    def next_look_seconds(self) -> float:
        self.looks += 1
        return min(_FIRST_LOOK_SECONDS * (1 << min(self.looks, 10)), _LONGEST_LOOK_SECONDS)


class NamespaceController(LoopController):
    name = "namespace-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._namespaces = context.informers.informer(NAMESPACES)
        self._remains: dict[str, _Remains] = {}
        self._loop = Controller(self.name, self, context.clock, workers=10)
        self.loops.append(self._loop)
        self._namespaces.add_handler(self._changed)

    def _changed(self, changes: Sequence[Change]) -> None:
        for old, new in changes:
            if new is None:
                self._remains.pop(objects.uid(old or {}), None)
            elif objects.deletion_timestamp(new) and (old is None or not objects.deletion_timestamp(old)):
                self._loop.enqueue_object(new)

    async def reconcile(self, key: str) -> Result | None:
        namespace = self._namespaces.get(key)
        if namespace is None or not objects.deletion_timestamp(namespace):
            return None
        if _FINALIZER not in (objects.spec(namespace).get("finalizers") or ()):
            return None
        remains = self._remains.setdefault(objects.uid(namespace), _Remains())
        await self._empty(key, remains)
        if remains.kinds or remains.failures:
            await self._write_conditions(namespace, remains)
            return Result(requeue_after=remains.next_look_seconds())
        await self._finalize(namespace)
        return None

    async def _empty(self, namespace: str, remains: _Remains) -> None:
        remains.content.clear()
        remains.finalizers.clear()
        remains.failures.clear()
        left = []
        for resource in remains.kinds:
            try:
                if await self._empty_of(namespace, resource, remains):
                    left.append(resource)
            except (NotFound, MethodNotSupported):
                continue  # not served
            except ApiError as error:
                remains.failures.append(error.message)
                left.append(resource)
        remains.kinds = left

    async def _empty_of(self, namespace: str, resource: ResourceType, remains: _Remains) -> bool:
        """Says whether anything of the kind is left."""
        if not remains.looks:
            if "deletecollection" in resource.verbs:
                await self._client.delete_collection(resource, namespace, propagation_policy="Background")
            else:
                await self._delete_each(namespace, resource)
        items = (await self._client.list(resource, namespace)).get("items") or ()
        if remains.looks and any(not objects.deletion_timestamp(item) for item in items):
            await self._delete_each(namespace, resource)
        for item in items:
            remains.finalizers.update(objects.finalizers(item))
        if items:
            remains.content[f"{resource.plural}.{resource.group}"] = len(items)
        return bool(items)

    async def _delete_each(self, namespace: str, resource: ResourceType) -> None:
        for item in (await self._client.list(resource, namespace)).get("items") or ():
            if not objects.deletion_timestamp(item):
                try:
                    await self._client.delete(resource, objects.name(item), namespace, propagation_policy="Background")
                except NotFound:
                    continue

    async def _write_conditions(self, namespace: Object, remains: _Remains) -> None:
        conditions = _conditions(objects.status(namespace).get("conditions") or (), remains, rfc3339(self._clock.now()))
        if conditions != objects.status(namespace).get("conditions"):
            try:
                written = await self._client.update_status(NAMESPACES, objects.with_status(namespace, conditions=conditions))
            except (Conflict, NotFound):
                return  # next time
            self._namespaces.observe([written])

    async def _finalize(self, namespace: Object) -> None:
        left = [entry for entry in objects.spec(namespace).get("finalizers") or () if entry != _FINALIZER]
        spec = {key: value for key, value in objects.spec(namespace).items() if key != "finalizers"}
        wanted = objects.replace(namespace, spec={**spec, "finalizers": left} if left else spec)
        try:
            await self._client.update(NAMESPACES, wanted, subresource="finalize")
        except NotFound:
            return


def _conditions(before: Sequence[dict[str, Any]], remains: _Remains, now: str) -> list[dict[str, Any]]:
    content = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(remains.content.items()))
    finalizers = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(remains.finalizers.items()))
    failures = ", ".join(sorted(remains.failures))
    found = [
        ("DiscoveryFailure", "", "ResourcesDiscovered", "All resources successfully discovered"),
        ("GroupVersionParsingFailure", "", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    ]
    if failures:
        text = f"Failed to delete all resource types, {len(remains.failures)} remaining: {failures}"
        found.append(("ContentFailure", "x", "ContentDeletionFailed", text))
    else:
        text = "All content successfully deleted, may be waiting on finalization"
        found.append(("ContentFailure", "", "ContentDeleted", text))
    conditions = [(f"NamespaceDeletion{kind}", *rest) for kind, *rest in found]
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
    known = {entry["type"]: entry for entry in before}
    return [_condition(known.get(kind), kind, bool(bad), reason, text, now) for kind, bad, reason, text in conditions]


def _condition(before: dict[str, Any] | None, kind: str, bad: bool, reason: str, message: str, now: str) -> dict[str, Any]:
    status = "True" if bad else "False"
    since = before["lastTransitionTime"] if before is not None and before["status"] == status else now
    return {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
