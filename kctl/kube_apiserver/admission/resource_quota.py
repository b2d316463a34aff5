"""ResourceQuota: what would use more of a namespace's quotas than they allow is refused; what is admitted is counted at once.

Usage is written to the quota's status before the object is stored, over the very revision it was computed from, so that any number of
requests at the same time, here and elsewhere, never get more together than there is. The requests of a namespace that come while it is
being written are decided together afterwards and written once. What is counted for an object that then fails to be stored is found
by the resourcequota-controller, which also counts what is deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.quota_usage import Usage
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import ApiError, Conflict, NotFound
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.admission import quota_check
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation, Server
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry.strategy import Context

_QUOTAS = built_in("v1", "ResourceQuota")
_ATTEMPTS = 10
"""How often usage is computed anew because somebody else (the controller) wrote it in between."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request for a verdict. `verdict` is what it is refused with, None where it is admitted."""

    operation: Operation
    obj: Object
    old: Object | None
    dry_run: bool
    now: datetime
    decided: bool = False
    verdict: ApiError | None = None

    def decide(self, verdict: ApiError | None = None) -> None:
        self.decided, self.verdict = True, verdict


@dataclass(slots=True)
class _Namespace:
    """Whoever has the lock decides for all who wait at that time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[_Waiting] = field(default_factory=list)
    present: int = 0


class ResourceQuota(AdmissionPlugin):
    name = "ResourceQuota"
    subresources = frozenset({"", "resize"})

    def __init__(self, server: Server | None = None) -> None:
        self._server = server
        self._namespaces: dict[str, _Namespace] = {}

    def bind(self, server: Server) -> AdmissionPlugin:
        return ResourceQuota(server)

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        if not operation.namespace or not quota_check.handles(operation, obj, old) or not self._quotas(operation.namespace):
            return None
        return self._judge(_Waiting(operation, obj, old, context.dry_run, context.now))

    async def _judge(self, request: _Waiting) -> None:
        with self._present(request.operation.namespace) as namespace:
            namespace.waiting.append(request)
            try:
                async with namespace.lock:
                    if not request.decided:
                        await self._decide_all(namespace, request.operation.namespace)
            finally:
                if request in namespace.waiting:  # whoever asked is gone before it was decided
                    namespace.waiting.remove(request)
        if request.verdict is not None:
            raise request.verdict

    @contextmanager
    def _present(self, name: str) -> Iterator[_Namespace]:
        namespace = self._namespaces.setdefault(name, _Namespace())
        namespace.present += 1
        try:
            yield namespace
        finally:
            namespace.present -= 1
            if not namespace.present:
                self._namespaces.pop(name, None)

    async def _decide_all(self, namespace: _Namespace, name: str) -> None:
        requests, namespace.waiting = namespace.waiting, []
        try:
            await self._check(requests, name)
        finally:  # what is left where whoever decides is given up, the next one decides
            namespace.waiting[:0] = [request for request in requests if not request.decided]

    async def _check(self, requests: Sequence[_Waiting], name: str) -> None:
        quotas = self._quotas(name)
        for attempt in range(_ATTEMPTS):
            used = {objects.name(quota): dict(objects.status(quota).get("used") or {}) for quota in quotas}
            before = {quota: dict(usage) for quota, usage in used.items()}
            for request in requests:
                if not request.decided:
                    _check_one(request, quotas, used)
            changed = [quota for quota in quotas if used[objects.name(quota)] != before[objects.name(quota)]]
            lost, failure = await self._write_all(changed, used)
            if failure is None or attempt + 1 == _ATTEMPTS:
                break
            quotas = [quota for quota in self._quotas(name) if objects.name(quota) in lost]
        for request in requests:
            if not request.decided:
                request.decide(failure)

    async def _write_all(self, quotas: Sequence[Object], used: dict[str, Usage]) -> tuple[set[str], ApiError | None]:
        """The names of those that somebody else wrote in between, and what the last of them failed with."""
        lost: set[str] = set()
        failure: ApiError | None = None
        for quota in quotas:
            try:
                await self._write(quota, used[objects.name(quota)])
            except (Conflict, NotFound) as error:
                lost.add(objects.name(quota))
                failure = error
        return lost, failure

    async def _write(self, quota: Object, used: Usage) -> None:
        assert self._server is not None
        made = objects.replace(quota, status={**objects.status(quota), "used": dict(sorted(used.items()))})
        endpoint = self._server.endpoint(_QUOTAS)
        caller = Caller(APISERVER, "kube-apiserver", CANONICAL)
        await endpoint.update(objects.namespace(quota), objects.name(quota), lambda _: made, caller, subresource="status")

    def _quotas(self, namespace: str) -> list[Object]:
        assert self._server is not None
        return sorted(self._server.list_cached(_QUOTAS, namespace), key=objects.name)


def _check_one(request: _Waiting, quotas: Sequence[Object], used: dict[str, Usage]) -> None:
    """Decided already: what is refused, what changes no quota, and what is only tried."""
    try:
        more = quota_check.check(request.operation, request.obj, request.old, request.now, quotas, used)
    except ApiError as error:
        request.decide(error)
        return
    if request.dry_run or not more:
        request.decide()
    else:
        used.update(more)


PLUGIN = ResourceQuota()
