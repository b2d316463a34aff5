"""service-lb-controller: a Service of type LoadBalancer gets the address of this machine, as a cluster with one load balancer gives it
(k3s's servicelb). Its events are those of a cloud's service controller.

A port of the machine goes to one Service: another that asks for the same one waits for it. Services of a `loadBalancerClass` are
somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controllers.runtime.events import NORMAL, WARNING
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import Follows, For, Source
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINTS, SERVICES
from kctl.apimachinery.status import NotFound

_KUBERNETES = "kubernetes"
_LOOPBACK = "127.0.0.1"


def is_balanced(service: Object) -> bool:
    """Whether it is a load balancer of ours."""
    spec = objects.spec(service)
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass") and not objects.deletion_timestamp(service)


class ServiceLoadBalancerController(LoopController):
    name = "service-lb-controller"
    workers = 1  # ports are given out one Service after the other

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._services = context.informers.informer(SERVICES)
        self._endpoints = context.informers.informer(ENDPOINTS)
        self._recorder = context.recorder("service-controller")
        self._holders: dict[tuple[str, int], str] = {}
        self._waiting: set[str] = set()
        self._address = ""

    def wakes(self) -> Sequence[Source]:
        return (
            For(SERVICES, when=lambda old, new: _concerns(old) or _concerns(new)),
            Follows(SERVICES, self._freed),
        )

    def _freed(self, changes: Sequence[Change]) -> list[str]:
        """Those that wait, when one of ours has changed or gone."""
        if not self._waiting or not any(old is not None and _concerns(old) for old, _ in changes):
            return []
        return sorted(self._waiting)

    async def reconcile(self, key: str) -> None:
        service = self._services.get(key)
        if service is None or not is_balanced(service):
            self._let_go(key, ())
            if service is not None and _ingress(service) and objects.spec(service).get("type") != "LoadBalancer":
                await self._clear(service)
            return
        wanted = _ports(service)
        self._let_go(key, wanted)
        taken = next((port for port in wanted if self._holders.get(port, key) != key), None)
        if taken is not None:
            await self._refuse(key, service, taken)
            return
        self._waiting.discard(key)
        self._holders.update(dict.fromkeys(wanted, key))
        await self._give(service)

    def _let_go(self, key: str, kept: Iterable[tuple[str, int]]) -> None:
        self._waiting.discard(key)
        gone = [port for port, holder in self._holders.items() if holder == key and port not in kept]
        for port in gone:
            del self._holders[port]
        if gone:
            for waiting in sorted(self._waiting):
                self.loop.enqueue(waiting)

    async def _refuse(self, key: str, service: Object, port: tuple[str, int]) -> None:
        self._waiting.add(key)
        protocol, number = port
        why = f"failed to ensure load balancer: port {number}/{protocol} is in use by Service {self._holders[port]}"
        self._recorder.event(service, WARNING, "SyncLoadBalancerFailed", f"Error syncing load balancer: {why}")
        if _ingress(service):
            await self._write(service, {})

    async def _give(self, service: Object) -> None:
        address = self._own_address()
        if [entry.get("ip") for entry in _ingress(service)] == [address]:
            return
        self._recorder.event(service, NORMAL, "EnsuringLoadBalancer", "Ensuring load balancer")
        await self._write(service, {"ingress": [{"ip": address, "ipMode": "VIP"}]})
        self._recorder.event(service, NORMAL, "EnsuredLoadBalancer", "Ensured load balancer")

    async def _clear(self, service: Object) -> None:
        self._recorder.event(service, NORMAL, "DeletingLoadBalancer", "Deleting load balancer")
        await self._write(service, {})
        self._recorder.event(service, NORMAL, "DeletedLoadBalancer", "Deleted load balancer")

    async def _write(self, service: Object, balancer: Object) -> None:
        try:
            written = await self.context.client.update_status(SERVICES, objects.with_status(service, loadBalancer=balancer))
        except NotFound:
            return
        self._services.observe((written,))

    def _own_address(self) -> str:
        """Where the API server says that it can be reached."""
        if not self._address:
            found = self._endpoints.get(f"default/{_KUBERNETES}") or {}
            addresses = [address["ip"] for subset in found.get("subsets") or () for address in subset.get("addresses") or ()]
            if not addresses:
                return _LOOPBACK
            self._address = str(addresses[0])
        return self._address


def _concerns(service: Object | None) -> bool:
    return service is not None and (objects.spec(service).get("type") == "LoadBalancer" or bool(_ingress(service)))


def _ingress(service: Object) -> list[Object]:
    return list((objects.status(service).get("loadBalancer") or {}).get("ingress") or ())


def _ports(service: Object) -> list[tuple[str, int]]:
    return [(str(port.get("protocol") or "TCP"), int(port["port"])) for port in objects.spec(service).get("ports") or ()]
