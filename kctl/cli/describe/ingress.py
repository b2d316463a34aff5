"""`kctl describe` of Ingresses, with the endpoints behind each path, and IngressClasses."""

from __future__ import annotations

from datetime import datetime

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, SERVICES
from kctl.apimachinery.status import ApiError
from kctl.cli.describe.events import describe_events, events_of
from kctl.cli.describe.service import format_endpoints
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client


async def describe_ingress(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec = objects.metadata(obj), objects.spec(obj)
    namespace = objects.namespace(obj)
    out.line(0, f"Name:\t{meta['name']}")
    write_labels(out, "Labels", meta.get("labels"))
    out.line(0, f"Namespace:\t{namespace}")
    out.line(0, f"Address:\t{_address(objects.status(obj))}")
    class_name = spec.get("ingressClassName")
    out.line(0, f"Ingress Class:\t{'<none>' if class_name is None else class_name}")
    default = "<default>"
    if spec.get("defaultBackend"):
        default = await _backend(client, namespace, spec["defaultBackend"])
    out.line(0, f"Default backend:\t{default}")
    if spec.get("tls"):
        out.line(0, "TLS:")
    for certificate in spec.get("tls") or ():
        hosts = ",".join(certificate.get("hosts") or ())
        secret = certificate.get("secretName")
        out.line(1, f"{secret} terminates {hosts}" if secret else f"SNI routes {hosts}")
    out.raw("Rules:\n  Host\tPath\tBackends\n")
    out.line(1, "----\t----\t--------")
    rules = [rule for rule in spec.get("rules") or () if rule.get("http") is not None]
    for rule in rules:
        out.line(1, f"{rule.get('host') or '*'}\t")
        for path in rule["http"].get("paths") or ():
            out.line(2, f"\t{path.get('path', '')} \t{await _backend(client, namespace, path['backend'])}")
    if not rules:
        out.line(1, f"*\t*\t{default}")
    write_annotations(out, "Annotations", meta.get("annotations"))
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


def _address(status: Object) -> str:
    entries = (status.get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(dict.fromkeys(point.get("ip") or point.get("hostname") or "" for point in entries))


async def _backend(client: Client, namespace: str, backend: Object) -> str:
    """nginx:80 (10.244.1.2:80,10.244.2.3:80), or the object that is no service."""
    service = backend.get("service")
    if not service:
        other = backend.get("resource")
        if not other:
            return ""
        group = other.get("apiGroup")
        return f"APIGroup: {'<none>' if group is None else group}, Kind: {other.get('kind', '')}, Name: {other.get('name', '')}"
    port = service.get("port") or {}
    title = f"{service['name']}:{port.get('name') or port.get('number') or ''}"
    selector = f"kubernetes.io/service-name={service['name']}"
    try:
        slices = (await client.list(ENDPOINT_SLICES, namespace, label_selector=selector)).get("items") or []
        target = await client.get(SERVICES, service["name"], namespace)
    except ApiError as error:
        return f"{title} (<error: {error.message}>)"
    name = ""
    for served in objects.spec(target).get("ports") or ():
        by_name = bool(port.get("name")) and port["name"] == served.get("name")
        if by_name or (port.get("number") and port["number"] == served.get("port")):
            name = served.get("name") or ""
    return f"{title} ({format_endpoints(slices, name)})"


async def describe_ingress_class(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec = objects.metadata(obj), objects.spec(obj)
    out.line(0, f"Name:\t{meta['name']}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    out.line(0, f"Controller:\t{spec.get('controller', '')}")
    parameters = spec.get("parameters")
    if parameters is not None:
        out.line(0, "Parameters:")
        for title, field in (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name")):
            if field != "apiGroup" or parameters.get(field) is not None:
                out.line(1, f"{title}:\t{parameters.get(field, '')}")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()
