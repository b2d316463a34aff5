"""endpoints-controller: the older Endpoints object of each Service with a selector, which kubectl describe still shows.

At most 1,000 addresses, as upstream; EndpointSlices have them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from controllers.runtime import pods, service_pods
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import namespace_terminating
from controllers.runtime.sources import Source, Watches, deleted, key_of
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINTS, SERVICES
from kctl.apimachinery.status import AlreadyExists, Forbidden, NotFound
from kctl.apimachinery.times import rfc3339

HEADLESS = "service.kubernetes.io/headless"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MAX_ADDRESSES = 1000

Subset = dict[str, Any]


def subsets(service: Object, members: Iterable[Object]) -> list[Subset]:
    """Addresses grouped by the ports they resolve to (RepackSubsets)."""
    groups: dict[str, Subset] = {}
    family = service_pods.families(service)[0]
    unready_too = bool(objects.spec(service).get("publishNotReadyAddresses"))
    for pod in members:
        ip = service_pods.pod_address(pod, family)
        if ip is None:
            continue
        address = _address(service, pod, ip)
        ports = _ports(service, pod)
        group = groups.setdefault(repr(ports), {"addresses": [], "notReadyAddresses": [], "ports": ports})
        group["addresses" if unready_too or pods.is_ready(pod) else "notReadyAddresses"].append(address)
    made = []
    for _, group in sorted(groups.items()):
        for field in ("addresses", "notReadyAddresses"):
            group[field].sort(key=lambda shown: tuple(int(part) if part.isdigit() else 0 for part in shown["ip"].split(".")))
        made.append({key: value for key, value in group.items() if value})
    return made


def _address(service: Object, pod: Object, ip: str) -> dict[str, Any]:
    address: dict[str, Any] = {"ip": ip}
    if host := service_pods.hostname(pod, service):
        address["hostname"] = host
    if node := (pod.get("spec") or {}).get("nodeName"):
        address["nodeName"] = node
    address["targetRef"] = service_pods.target_reference(pod)
    return address


def _ports(service: Object, pod: Object) -> list[dict[str, Any]]:
    ports = []
    for port in objects.spec(service).get("ports") or ():
        number = service_pods.target_port(port, pod)
        if number is not None:
            name = {"name": port["name"]} if port.get("name") else {}
            shown = {**name, "port": number, "protocol": port.get("protocol") or "TCP"}
            if port.get("appProtocol"):
                shown["appProtocol"] = port["appProtocol"]
            ports.append(shown)
    return ports


def truncated(groups: list[Subset]) -> tuple[list[Subset], bool]:
    """At most MAX_ADDRESSES, ready ones first."""
    total = sum(len(group.get(field) or ()) for group in groups for field in ("addresses", "notReadyAddresses"))
    if total <= MAX_ADDRESSES:
        return groups, False
    left = MAX_ADDRESSES
    cut: list[Subset] = [{"ports": group.get("ports")} for group in groups]
    for field in ("addresses", "notReadyAddresses"):
        for group, source in zip(cut, groups, strict=True):
            taken = (source.get(field) or [])[:left]
            left -= len(taken)
            if taken:
                group[field] = taken
    return [group for group in cut if "addresses" in group or "notReadyAddresses" in group], True


class EndpointsController(LoopController):
    name = "endpoints-controller"
    pace_seconds = 0.5

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._clock = context.clock
        self._services = context.informers.informer(SERVICES)
        self._endpoints = context.informers.informer(ENDPOINTS)
        self._pods = context.service_pods

    def wakes(self) -> Sequence[Source]:
        return (
            self._pods,  # Services, and Pods that a Service selects
            Watches(ENDPOINTS, to=key_of, when=deleted),
        )

    async def reconcile(self, key: str) -> None:
        service = self._services.get(key)
        present = self._endpoints.get(key)
        if service is None:
            await self._delete(present)
            return
        spec = objects.spec(service)
        if not spec.get("selector") or spec.get("type") == "ExternalName" or objects.deletion_timestamp(service):
            return
        members = [pod for pod in self._pods.of(service) if service_pods.is_candidate(pod, include_terminating=False)]
        wanted, cut = truncated(subsets(service, members))
        try:
            await self._write(service, present, wanted, cut)
        except (AlreadyExists, NotFound):
            return
        except Forbidden as error:
            if not namespace_terminating(error):
                raise

    async def _delete(self, present: Object | None) -> None:
        if present is None or objects.labels(present).get(MANAGED_BY) != MANAGER:
            return
        try:
            await self._client.delete(ENDPOINTS, objects.name(present), objects.namespace(present))
        except NotFound:
            return

    async def _write(self, service: Object, present: Object | None, wanted: list[Subset], cut: bool) -> None:
        labels = {**objects.labels(service), MANAGED_BY: MANAGER}
        if service_pods.is_headless(service):
            labels[HEADLESS] = ""
        if present is not None and (present.get("subsets") or []) == wanted and objects.labels(present) == labels:
            return
        annotations = {key: value for key, value in objects.annotations(present or {}).items() if key != OVER_CAPACITY}
        annotations[TRIGGER_TIME] = rfc3339(self._clock.now())
        if cut:
            annotations[OVER_CAPACITY] = "truncated"
        if present is None:
            meta = {"name": objects.name(service), "namespace": objects.namespace(service)}
            body: Object = {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta}
        else:
            body = {key: value for key, value in present.items() if key != "subsets"}
        body = objects.with_metadata(body, labels=labels, annotations=annotations)
        if wanted:
            body["subsets"] = wanted
        if present is None:
            written = await self._client.create(ENDPOINTS, body, objects.namespace(service))
        else:
            written = await self._client.update(ENDPOINTS, body)
        self._endpoints.observe([written])
