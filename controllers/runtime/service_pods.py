"""Which pods a Service selects, found by label set: what the endpoints and endpointslice controllers share.

Pods of one template have one label set, so a Service's pods are found by matching a handful of sets, and the Services a
changed pod concerns by a look-up, however many pods there are.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controllers.runtime import pods
from controllers.runtime.informer import Change, Informer, InformerFactory
from controllers.runtime.sources import Enqueue
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import SERVICES

LABEL_SET_INDEX = "label-set"

LabelSet = tuple[str, tuple[tuple[str, str], ...]]


def _label_set(pod: Object) -> LabelSet:
    meta = pod["metadata"]
    labels = meta.get("labels")
    return meta.get("namespace", ""), tuple(sorted(labels.items())) if labels else ()


class ServicePods:
    """A Source: the key of a Service when it or something about its pods' endpoints changed. One for all controllers that ask.

    Only namespaces that have a Service with a selector are followed; elsewhere pods cost nothing here."""

    resource = SERVICES

    def __init__(self, services: Informer, pod_informer: Informer) -> None:
        self._services = services
        self._informer = pod_informer
        self._subscribers: list[Enqueue] = []
        self._pods: dict[LabelSet, dict[str, Object]] = {}
        self._sets: dict[str, dict[LabelSet, None]] = {}
        self._selecting: dict[LabelSet, tuple[str, ...]] = {}
        services.add_handler(self._follow_services)
        pod_informer.add_handler(self._follow_pods)

    def attach(self, informers: InformerFactory, enqueue: Enqueue) -> None:
        self._subscribers.append(enqueue)
        for service in self._services.list():
            enqueue(objects.key(service))

    def of(self, service: Object) -> Iterator[Object]:
        """The pods the Service's selector matches."""
        selector = objects.spec(service).get("selector")
        if not selector:
            return
        for label_set in list(self._sets.get(objects.namespace(service), ())):
            if selector.items() <= dict(label_set[1]).items():
                yield from list(self._pods[label_set].values())

    def _wake(self, key: str) -> None:
        for wake in self._subscribers:
            wake(key)

    def _follow_services(self, changes: Sequence[Change]) -> None:
        for old, new in changes:
            changed = new or old
            assert changed is not None
            space = objects.namespace(changed)
            if space not in self._sets and objects.spec(changed).get("selector"):
                self._begin(space)
            for label_set in self._sets.get(space, ()):
                self._selecting.pop(label_set, None)
            self._wake(objects.key(changed))

    def _begin(self, namespace: str) -> None:
        self._sets[namespace] = {}
        for pod in self._informer.list(namespace):
            self._keep(_label_set(pod), objects.key(pod), pod)

    def _follow_pods(self, changes: Sequence[Change]) -> None:
        if not self._sets:
            return
        woken: dict[LabelSet, None] = {}
        for old, new in changes:
            if (new or old or {})["metadata"].get("namespace") not in self._sets:
                continue
            before = _label_set(old) if old is not None else None
            after = _label_set(new) if new is not None else None
            if old is not None and before is not None and before != after:
                self._drop(before, objects.key(old))
                woken[before] = None
            if new is not None and after is not None:
                self._keep(after, objects.key(new), new)
                if before != after or old is None or endpoint_state(old) != endpoint_state(new):
                    woken[after] = None
        for label_set in woken:
            for key in self._services_of(label_set):
                self._wake(key)

    def _keep(self, label_set: LabelSet, key: str, pod: Object) -> None:
        bucket = self._pods.get(label_set)
        if bucket is None:
            bucket = self._pods[label_set] = {}
            self._sets[label_set[0]][label_set] = None
        bucket[key] = pod

    def _drop(self, label_set: LabelSet, key: str) -> None:
        bucket = self._pods.get(label_set)
        if bucket is None:
            return
        bucket.pop(key, None)
        if not bucket:
            del self._pods[label_set]
            self._sets[label_set[0]].pop(label_set, None)

    def _services_of(self, label_set: LabelSet) -> tuple[str, ...]:
        services = self._selecting.get(label_set)
        if services is None:
            labels = dict(label_set[1])
            services = tuple(
                objects.key(service)
                for service in self._services.list(label_set[0])
                if (selector := objects.spec(service).get("selector")) and selector.items() <= labels.items()
            )
            if label_set in self._pods:
                self._selecting[label_set] = services
        return services


def endpoint_state(pod: Object) -> tuple[Any, ...]:
    """What of a pod shows in its endpoint."""
    status = pod.get("status") or {}
    return (
        status.get("podIP"),
        pods.is_ready(pod),
        status.get("phase") in ("Succeeded", "Failed"),
        "deletionTimestamp" in pod["metadata"],
        (pod.get("spec") or {}).get("nodeName"),
        (pod.get("spec") or {}).get("hostname"),
    )


def is_candidate(pod: Object, *, include_terminating: bool) -> bool:
    """Whether the pod is an endpoint at all: it has an address and is not finished."""
    status = pod.get("status") or {}
    if not status.get("podIP") or status.get("phase") in ("Succeeded", "Failed"):
        return False
    return include_terminating or "deletionTimestamp" not in pod["metadata"]


def pod_address(pod: Object, family: str) -> str | None:
    """The pod's IP of an address family (IPv4, IPv6)."""
    status = pod.get("status") or {}
    version = 6 if family == "IPv6" else 4
    for given in status.get("podIPs") or ({"ip": status.get("podIP")},):
        text: str = given.get("ip") or ""
        if text and (":" in text) == (version == 6):
            return text
    return None


def families(service: Object) -> list[str]:
    """The Service's address families; a headless one without may have none given."""
    given: list[str] = list(objects.spec(service).get("ipFamilies") or ())
    if given:
        return given
    cluster_ip = objects.spec(service).get("clusterIP") or ""
    if cluster_ip and cluster_ip != "None":
        return ["IPv6" if ipaddress.ip_address(cluster_ip).version == 6 else "IPv4"]
    return ["IPv4"]


def target_port(port: Mapping[str, Any], pod: Object) -> int | None:
    """The number a Service port leads to in this pod; None where a named port is not there."""
    wanted = port.get("targetPort", port.get("port"))
    if isinstance(wanted, int):
        return wanted or int(port["port"])
    protocol = port.get("protocol") or "TCP"
    for container in _containers(pod):
        for named in container.get("ports") or ():
            if named.get("name") == wanted and (named.get("protocol") or "TCP") == protocol:
                return int(named["containerPort"])
    return None


def _containers(pod: Object) -> Iterator[Mapping[str, Any]]:
    spec = pod.get("spec") or {}
    yield from spec.get("containers") or ()
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            yield container


def hostname(pod: Object, service: Object) -> str:
    """A pod of a headless Service has a name of its own in DNS where it asks for one."""
    spec = pod.get("spec") or {}
    wanted = spec.get("hostname") or ""
    return str(wanted) if wanted and spec.get("subdomain") == objects.name(service) else ""


def is_headless(service: Object) -> bool:
    return objects.spec(service).get("clusterIP") == "None"


def target_reference(pod: Object) -> dict[str, str]:
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
