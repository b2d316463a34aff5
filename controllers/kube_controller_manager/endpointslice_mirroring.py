"""endpointslice-mirroring-controller: Endpoints that somebody writes for a Service without a selector appear as EndpointSlices too,
one for each subset and address family."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from controllers.runtime.adoption import controller_reference
from controllers.runtime.events import WARNING
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import namespace_terminating
from controllers.runtime.sources import For, Source, Watches, changed_or_deleted
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from kctl.apimachinery.status import Forbidden, NotFound

MANAGER = "endpointslicemirroring-controller.k8s.io"
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_SERVICE_NAME = "kubernetes.io/service-name"
_SKIP = "endpointslice.kubernetes.io/skip-mirror"
_LEADER = "control-plane.alpha.kubernetes.io/leader"
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", "endpoints.kubernetes.io/last-change-trigger-time")
_MOST_ADDRESSES = 1000
_MIRROR_INDEX = "mirror-of"

Endpoint = dict[str, Any]


def is_mirrored(endpoints: Object) -> bool:
    """Whether its own words allow it; its Service has a say too."""
    return objects.labels(endpoints).get(_SKIP) != "true" and _LEADER not in objects.annotations(endpoints)


class EndpointSliceMirroringController(LoopController):
    name = "endpointslice-mirroring-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._endpoints = context.informers.informer(ENDPOINTS)
        self._services = context.informers.informer(SERVICES)
        self._slices = context.informers.informer(ENDPOINT_SLICES)
        self._slices.add_index(_MIRROR_INDEX, _mirror_of)
        self._recorder = context.recorder(self.name)

    def wakes(self) -> Sequence[Source]:
        return (
            For(ENDPOINTS),
            For(SERVICES, when=_selector_changed),
            Watches(ENDPOINT_SLICES, to=_mirror_of, when=changed_or_deleted),
        )

    async def reconcile(self, key: str) -> None:
        endpoints, service = self._endpoints.get(key), self._services.get(key)
        present = list(self._slices.by_index(_MIRROR_INDEX, key))
        wanted: list[Object] = []
        if endpoints is not None and service is not None and is_mirrored(endpoints) and not objects.spec(service).get("selector"):
            wanted = self._wanted(endpoints)
        try:
            await self._settle(endpoints, present, wanted)
        except Forbidden as error:
            if not namespace_terminating(error):
                raise

    def _wanted(self, endpoints: Object) -> list[Object]:
        found = []
        skipped = 0
        for subset in endpoints.get("subsets") or ():
            by_family: dict[str, list[Endpoint]] = {}
            count = 0
            for field, ready in (("addresses", True), ("notReadyAddresses", False)):
                for address in subset.get(field) or ():
                    family = _family(str(address.get("ip") or ""))
                    if not family or count >= _MOST_ADDRESSES:
                        skipped += 1
                        continue
                    count += 1
                    by_family.setdefault(family, []).append(_endpoint(address, ready=ready))
            for family, members in sorted(by_family.items()):
                found.append({"addressType": family, "ports": _ports(subset), "endpoints": members})
        if skipped:
            message = f"{skipped} addresses were not mirrored: they are invalid, or more than {_MOST_ADDRESSES} of one subset"
            self._recorder.event(endpoints, WARNING, "TooManyAddressesToMirror", message)
        return found

    async def _settle(self, endpoints: Object | None, present: Sequence[Object], wanted: Sequence[Object]) -> None:
        """Slices of the same ports and family are kept and changed; the rest is made or goes."""
        left = list(present)
        for content in wanted:
            kept = next((each for each in left if _same_place(each, content)), None)
            assert endpoints is not None
            if kept is None:
                made = await self._client.create(ENDPOINT_SLICES, _slice(endpoints, content))
                self._slices.observe((made,))
                continue
            left.remove(kept)
            changed = {**_slice(endpoints, content), "metadata": _kept_metadata(kept, endpoints)}
            if {**kept, **changed} != kept:
                self._slices.observe((await self._client.update(ENDPOINT_SLICES, {**kept, **changed}),))
        for each in left:
            try:
                await self._client.delete(ENDPOINT_SLICES, objects.name(each), objects.namespace(each), uid=objects.uid(each))
            except NotFound:
                continue


def _selector_changed(old: Object | None, new: Object | None) -> bool:
    if old is None or new is None:
        return True
    return bool(objects.spec(old).get("selector")) != bool(objects.spec(new).get("selector"))


def _mirror_of(piece: Object) -> tuple[str, ...]:
    labels = objects.labels(piece)
    if labels.get(_MANAGED_BY) != MANAGER or not labels.get(_SERVICE_NAME):
        return ()
    return (f"{objects.namespace(piece)}/{labels[_SERVICE_NAME]}",)


def _family(text: str) -> str:
    try:
        return f"IPv{ipaddress.ip_address(text).version}"
    except ValueError:
        return ""


def _endpoint(address: Object, *, ready: bool) -> Endpoint:
    found: Endpoint = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    found |= {field: address[field] for field in ("hostname", "targetRef", "nodeName") if address.get(field)}
    return found


def _ports(subset: Object) -> list[Object]:
    return [
        {
            "name": port.get("name") or "",
            "port": port["port"],
            "protocol": port.get("protocol") or "TCP",
            **({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {}),
        }
        for port in subset.get("ports") or ()
    ]


def _same_place(piece: Object, content: Object) -> bool:
    return bool(piece.get("addressType") == content["addressType"]) and (piece.get("ports") or []) == content["ports"]


def _labels(endpoints: Object) -> dict[str, str]:
    return {**objects.labels(endpoints), _SERVICE_NAME: objects.name(endpoints), _MANAGED_BY: MANAGER}


def _annotations(endpoints: Object) -> dict[str, str]:
    return {key: value for key, value in objects.annotations(endpoints).items() if key not in _NOT_COPIED}


def _slice(endpoints: Object, content: Object) -> Object:
    meta: Object = {
        "generateName": f"{objects.name(endpoints)}-",
        "namespace": objects.namespace(endpoints),
        "labels": _labels(endpoints),
        "ownerReferences": [controller_reference(endpoints)],
    }
    if _annotations(endpoints):
        meta["annotations"] = _annotations(endpoints)
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta, **content}


def _kept_metadata(piece: Object, endpoints: Object) -> Object:
    meta = {**piece["metadata"], "labels": _labels(endpoints)}
    meta.pop("annotations", None)
    return {**meta, "annotations": _annotations(endpoints)} if _annotations(endpoints) else meta
