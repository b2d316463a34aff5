"""validatingadmissionpolicy-status: takes down that a policy's expressions were checked against the types it is about, and what does not
fit. Upstream's runs in kube-controller-manager; this one is where the schemas and the compiler are. It is loaded once there is a policy."""

from __future__ import annotations

import contextlib
from functools import partial
from importlib import import_module
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import component
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.watch_cache import Watcher

POLICIES = built_in("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy")
_CALLER = Caller(component("kube-controller-manager"), "validatingadmissionpolicy-status", body=CANONICAL)
_MODULE = "kctl.kube_apiserver.admission.policies.type_checking"


async def keep(registry: Registry, watcher: Watcher) -> None:
    """Runs until the storage closes its caches; `watcher` is one of the policies' cache, from before this was called."""
    for name in sorted(registry.storage.cache_of(POLICIES).entries):
        await _sync(registry, name)
    while (batch := await watcher.next()) is not None:
        for name in dict.fromkeys(change.key for change in batch):
            await _sync(registry, name)


async def _sync(registry: Registry, name: str) -> None:
    policy = registry.get_cached(POLICIES, "", name)
    if policy is None:
        return
    generation = policy["metadata"].get("generation") or 0
    if generation <= (objects.status(policy).get("observedGeneration") or 0):
        return
    warnings = await _warnings(registry, policy)
    checked = {"expressionWarnings": warnings} if warnings else {}

    def change(obj: Object) -> Object:
        return objects.with_status(obj, observedGeneration=generation, typeChecking=checked)

    with contextlib.suppress(ApiError):  # gone, or written again: the next change comes by here
        await registry.endpoint(POLICIES).write_directly("", name, change, _CALLER)


async def _warnings(registry: Registry, policy: Object) -> list[Object]:
    checking = await registry.clock.beside(partial(import_module, _MODULE))

    def kind_for(group: str, version: str, plural: str) -> Any:
        resource = registry.table.by_plural(group, version, plural)
        return None if resource is None else checking.Kind(resource.group, resource.version, resource.kind)

    kinds = {kind: known for kind in checking.kinds_to_check(policy, kind_for) if (known := _type(registry, checking, *kind)) is not None}
    named = objects.spec(policy).get("paramKind") or {}
    param = checking.Kind.of(named.get("apiVersion") or "", named.get("kind") or "")
    params = _type(registry, checking, *param) if named else None
    found: list[Object] = await registry.clock.beside(partial(checking.check, policy, kinds, params))
    return found


def _type(registry: Registry, checking: Any, group: str, version: str, kind: str) -> Any:
    """None where no schema is known."""
    api_version = f"{group}/{version}".lstrip("/")
    known = checking.built_in_type(api_version, kind)
    resource = registry.table.by_kind(api_version, kind) if known is None else None
    if resource is None:
        return known
    schema = registry.endpoint(resource).schema()
    return checking.custom_type(schema.structural, kind) if hasattr(schema, "structural") else None
