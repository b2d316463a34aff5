"""endpointslice-controller: the addresses behind each Service with a selector, in slices of at most 100.

Only slices that differ are written: endpoints stay in the slice they are in, leave it when their pod goes, and new ones fill
the gaps before another slice is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controllers.runtime import pods, service_pods
from controllers.runtime.adoption import controller_reference
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import namespace_terminating
from controllers.runtime.sources import Source, Watches, deleted
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, NODES, SERVICES
from kctl.apimachinery.status import Forbidden, NotFound
from kctl.apimachinery.times import rfc3339

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
HEADLESS = "service.kubernetes.io/headless"
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
MAX_ENDPOINTS = 100

_SERVICE_INDEX = "service"
_RESERVED_LABELS = frozenset({SERVICE_NAME, MANAGED_BY, HEADLESS})

Endpoint = dict[str, Any]
Ports = list[dict[str, Any]]


def ports_of(service: Object, pod: Object) -> Ports:
    """The slice's ports for this pod; pods that resolve a named port differently get slices of their own."""
    ports = []
    for port in objects.spec(service).get("ports") or ():
        number = service_pods.target_port(port, pod)
        if number is not None:
            shown = {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol") or "TCP"}
            if port.get("appProtocol"):
                shown["appProtocol"] = port["appProtocol"]
            ports.append(shown)
    return ports


def endpoint_of(service: Object, pod: Object, address: str, zone: str = "") -> Endpoint:
    terminating = "deletionTimestamp" in pod["metadata"]
    serving = pods.is_ready(pod)
    ready = bool(objects.spec(service).get("publishNotReadyAddresses")) or (serving and not terminating)
    endpoint: Endpoint = {
        "addresses": [address],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
    }
    if host := service_pods.hostname(pod, service):
        endpoint["hostname"] = host
    endpoint["targetRef"] = service_pods.target_reference(pod)
    if node := (pod.get("spec") or {}).get("nodeName"):
        endpoint["nodeName"] = node
    if zone:
        endpoint["zone"] = zone
    return endpoint


def arrange(present: Sequence[Object], wanted: Mapping[str, Endpoint]) -> tuple[list[tuple[Object, list[Endpoint]]], list[list[Endpoint]]]:
    """Distributes endpoints (by pod uid) over slices of one address type and port list: (slice, endpoints) for each
    present slice, and the contents of new ones. An empty list means: not needed any more."""
    left = dict(wanted)
    filled: list[tuple[Object, list[Endpoint]]] = []
    for piece in present:
        kept = []
        for endpoint in piece.get("endpoints") or ():
            uid = (endpoint.get("targetRef") or {}).get("uid", "")
            if uid in left:
                kept.append(left.pop(uid))
        filled.append((piece, kept))
    waiting = list(left.values())
    # The fullest slices take first, so that few are touched.
    for _, kept in sorted(filled, key=lambda fill: -len(fill[1])):
        room = MAX_ENDPOINTS - len(kept)
        if kept and room > 0 and waiting:
            kept += waiting[:room]
            waiting = waiting[room:]
    for _, kept in filled:
        if not kept and waiting:
            kept += waiting[:MAX_ENDPOINTS]
            waiting = waiting[MAX_ENDPOINTS:]
    return filled, [waiting[start : start + MAX_ENDPOINTS] for start in range(0, len(waiting), MAX_ENDPOINTS)]


class EndpointSliceController(LoopController):
    name = "endpointslice-controller"
    pace_seconds = 0.25

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._clock = context.clock
        self._services = context.informers.informer(SERVICES)
        self._slices = context.informers.informer(ENDPOINT_SLICES)
        self._nodes = context.informers.informer(NODES)
        self._slices.add_index(_SERVICE_INDEX, _service_of)
        self._pods = context.service_pods

    def wakes(self) -> Sequence[Source]:
        return (
            self._pods,  # Services, and Pods that a Service selects
            Watches(ENDPOINT_SLICES, to=_service_of, when=deleted),  # one of ours that somebody deletes comes back
        )

    async def reconcile(self, key: str) -> None:
        service = self._services.get(key)
        if service is None or objects.deletion_timestamp(service):
            return  # its slices are its dependents
        spec = objects.spec(service)
        if not spec.get("selector") or spec.get("type") == "ExternalName":
            return
        present = [piece for piece in self._slices.by_index(_SERVICE_INDEX, key) if not objects.deletion_timestamp(piece)]
        members = [pod for pod in self._pods.of(service) if service_pods.is_candidate(pod, include_terminating=True)]
        try:
            for family in service_pods.families(service):
                mine = [piece for piece in present if piece.get("addressType") == family]
                await self._reconcile_family(service, family, mine, members)
            for piece in present:
                if piece.get("addressType") not in service_pods.families(service):
                    await self._delete(piece)
        except Forbidden as error:
            if not namespace_terminating(error):
                raise

    async def _reconcile_family(self, service: Object, family: str, present: Sequence[Object], members: Iterable[Object]) -> None:
        by_ports = self._by_ports(service, family, members)
        used: set[str] = set()
        for ports, wanted in by_ports.values():
            fitting = [piece for piece in present if (piece.get("ports") or []) == ports]
            used.update(objects.uid(piece) for piece in fitting)
            filled, added = arrange(fitting, wanted)
            for position, (piece, endpoints) in enumerate(filled):
                if endpoints or (not wanted and position == 0):  # a Service has a slice even when it has no pods
                    await self._write(service, piece, endpoints)
                else:
                    await self._delete(piece)
            if not filled and not added:
                added = [[]]
            for endpoints in added:
                await self._create(service, family, ports, endpoints)
        for piece in present:
            if objects.uid(piece) not in used:
                await self._delete(piece)

    def _by_ports(self, service: Object, family: str, members: Iterable[Object]) -> dict[str, tuple[Ports, dict[str, Endpoint]]]:
        groups: dict[str, tuple[Ports, dict[str, Endpoint]]] = {}
        memo: dict[int, tuple[str, Ports]] = {}
        for pod in members:
            address = service_pods.pod_address(pod, family)
            if address is None:
                continue
            containers = id((pod.get("spec") or {}).get("containers"))
            if containers not in memo:  # pods of one template may share it
                ports = ports_of(service, pod)
                memo[containers] = repr(ports), ports
            name, ports = memo[containers]
            group = groups.get(name)
            if group is None:
                group = groups[name] = ports, {}
            zone = self._zone((pod.get("spec") or {}).get("nodeName") or "")
            group[1][pod["metadata"]["uid"]] = endpoint_of(service, pod, address, zone)
        return groups or {"": ([], {})}

    def _zone(self, node: str) -> str:
        known = self._nodes.get(node)
        return objects.labels(known).get("topology.kubernetes.io/zone", "") if known is not None else ""

    # ---- writes

    def _labels(self, service: Object) -> dict[str, str]:
        labels = {key: value for key, value in objects.labels(service).items() if key not in _RESERVED_LABELS}
        labels |= {MANAGED_BY: MANAGER, SERVICE_NAME: objects.name(service)}
        if service_pods.is_headless(service):
            labels[HEADLESS] = ""
        return labels

    async def _create(self, service: Object, family: str, ports: Ports, endpoints: list[Endpoint]) -> None:
        meta = {
            "generateName": f"{objects.name(service)}-",
            "namespace": objects.namespace(service),
            "labels": self._labels(service),
            "annotations": {TRIGGER_TIME: rfc3339(self._clock.now())},
            "ownerReferences": [controller_reference({"apiVersion": "v1", "kind": "Service", **service})],
        }
        wanted = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": meta,
            "addressType": family,
            "endpoints": endpoints,
            "ports": ports,
        }
        self._slices.observe([await self._client.create(ENDPOINT_SLICES, wanted, objects.namespace(service))])

    async def _write(self, service: Object, piece: Object, endpoints: list[Endpoint]) -> None:
        labels = self._labels(service)
        if (piece.get("endpoints") or []) == endpoints and objects.labels(piece) == labels:
            return
        annotations = {**objects.annotations(piece), TRIGGER_TIME: rfc3339(self._clock.now())}
        wanted = objects.with_metadata(piece, labels=labels, annotations=annotations)
        wanted["endpoints"] = endpoints
        self._slices.observe([await self._client.update(ENDPOINT_SLICES, wanted)])

    async def _delete(self, piece: Object) -> None:
        try:
            await self._client.delete(ENDPOINT_SLICES, objects.name(piece), objects.namespace(piece))
        except NotFound:
            return
        self._slices.observe_deleted(objects.key(piece), objects.uid(piece))


def _service_of(piece: Object) -> tuple[str, ...]:
    """Index function: the Service of a slice of ours."""
    labels = objects.labels(piece)
    if labels.get(MANAGED_BY) != MANAGER or not labels.get(SERVICE_NAME):
        return ()
    return (f"{objects.namespace(piece)}/{labels[SERVICE_NAME]}",)
