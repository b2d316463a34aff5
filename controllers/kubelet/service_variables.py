"""The variables that tell a container where services are, as a kubelet gives them (pkg/kubelet/envvars). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

MASTER_NAMESPACE, MASTER_SERVICE = "default", "kubernetes"


def visible(services: Iterable[Object], pod: Object) -> list[Object]:
    """The services a pod is told of: `kubernetes`, and those of its namespace unless enableServiceLinks is false."""
    links, namespace = objects.spec(pod).get("enableServiceLinks", True) is not False, objects.namespace(pod)
    chosen: dict[str, Object] = {}
    for service in services:
        address = objects.spec(service).get("clusterIP")
        if not address or address == "None":
            continue
        name, of = objects.name(service), objects.namespace(service)
        if of == namespace and links:
            chosen[name] = service
        elif of == MASTER_NAMESPACE and name == MASTER_SERVICE:
            chosen.setdefault(name, service)
    return list(chosen.values())


def service_variables(services: Iterable[Object]) -> dict[str, str]:
    """NAME_SERVICE_HOST and its like for each service; also in the way of Docker links."""
    variables: dict[str, str] = {}
    for service in services:
        spec = objects.spec(service)
        ports = spec.get("ports") or ()
        if not ports:
            continue
        prefix, address = _name(objects.name(service)), str(spec.get("clusterIP"))
        variables[f"{prefix}_SERVICE_HOST"] = address
        variables[f"{prefix}_SERVICE_PORT"] = str(ports[0].get("port"))
        for port in ports:
            if port.get("name"):
                variables[f"{prefix}_SERVICE_PORT_{_name(str(port['name']))}"] = str(port.get("port"))
        for index, port in enumerate(ports):
            protocol, number = str(port.get("protocol") or "TCP"), port.get("port")
            url = f"{protocol.lower()}://{f'[{address}]' if ':' in address else address}:{number}"
            if index == 0:
                variables[f"{prefix}_PORT"] = url
            link = f"{prefix}_PORT_{number}_{protocol.upper()}"
            variables |= {link: url, f"{link}_PROTO": protocol.lower(), f"{link}_PORT": str(number), f"{link}_ADDR": address}
    return variables


def _name(name: str) -> str:
    return name.upper().replace("-", "_")
