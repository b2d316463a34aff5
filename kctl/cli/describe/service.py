"""`kctl describe service`, namespace, configmap, secret and serviceaccount."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, built_in
from kctl.apimachinery.status import ApiError
from kctl.cli.describe.events import describe_events, events_of
from kctl.cli.describe.policy import SCOPES
from kctl.cli.describe.values import or_none
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client

RESOURCE_QUOTAS = built_in("v1", "ResourceQuota")
LIMIT_RANGES = built_in("v1", "LimitRange")
_SHOWN_ENDPOINTS = 3


def _head(out: Writer, obj: Object, *, namespaced: bool = True) -> None:
    meta = objects.metadata(obj)
    out.line(0, f"Name:\t{meta['name']}")
    if namespaced:
        out.line(0, f"Namespace:\t{meta['namespace']}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))


async def describe_service(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    spec, status = objects.spec(obj), objects.status(obj)
    _head(out, obj)
    selector = spec.get("selector") or {}
    out.line(0, f"Selector:\t{or_none(','.join(f'{key}={selector[key]}' for key in sorted(selector)))}")
    out.line(0, f"Type:\t{spec.get('type', '')}")
    if spec.get("ipFamilyPolicy"):
        out.line(0, f"IP Family Policy:\t{spec['ipFamilyPolicy']}")
    if spec.get("ipFamilies"):
        out.line(0, f"IP Families:\t{','.join(spec['ipFamilies'])}")
    else:
        out.line(0, "IP Families:\t<none>")
    out.line(0, f"IP:\t{spec.get('clusterIP', '')}")
    out.line(0, f"IPs:\t{or_none(','.join(spec.get('clusterIPs') or ()))}")
    if spec.get("externalIPs"):
        out.line(0, f"External IPs:\t{','.join(spec['externalIPs'])}")
    if spec.get("loadBalancerIP"):
        out.line(0, f"Desired LoadBalancer IP:\t{spec['loadBalancerIP']}")
    if spec.get("externalName"):
        out.line(0, f"External Name:\t{spec['externalName']}")
    ingress = (status.get("loadBalancer") or {}).get("ingress") or []
    if ingress:
        texts = [
            f"{point.get('ip') or point.get('hostname')}" + (f" ({point['ipMode']})" if point.get("ipMode") else "") for point in ingress
        ]
        out.line(0, f"LoadBalancer Ingress:\t{', '.join(texts)}")
    slices = await client.list(ENDPOINT_SLICES, objects.namespace(obj), label_selector=f"kubernetes.io/service-name={objects.name(obj)}")
    _ports(out, spec, slices.get("items") or [])
    out.line(0, f"Session Affinity:\t{spec.get('sessionAffinity', '')}")
    for title, field in (
        ("External Traffic Policy", "externalTrafficPolicy"),
        ("Internal Traffic Policy", "internalTrafficPolicy"),
    ):
        if spec.get(field):
            out.line(0, f"{title}:\t{spec[field]}")
    if spec.get("healthCheckNodePort"):
        out.line(0, f"HealthCheck NodePort:\t{spec['healthCheckNodePort']}")
    if spec.get("loadBalancerSourceRanges"):
        out.line(0, f"LoadBalancer Source Ranges:\t{','.join(spec['loadBalancerSourceRanges'])}")
    if spec.get("trafficDistribution"):
        out.line(0, f"Traffic Distribution:\t{spec['trafficDistribution']}")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


def _ports(out: Writer, spec: Object, slices: Sequence[Object]) -> None:
    for port in spec.get("ports") or ():
        name = port.get("name") or "<unset>"
        protocol = port.get("protocol", "TCP")
        out.line(0, f"Port:\t{name}\t{port['port']}/{protocol}")
        target = port.get("targetPort")
        out.line(0, f"TargetPort:\t{target}/{protocol}")
        if port.get("appProtocol") is not None:
            out.line(0, f"AppProtocol:\t{port['appProtocol']}")
        if port.get("nodePort"):
            out.line(0, f"NodePort:\t{name}\t{port['nodePort']}/{protocol}")
        out.line(0, f"Endpoints:\t{format_endpoints(slices, port.get('name') or '')}")


def format_endpoints(slices: Sequence[Object], port_name: str) -> str:
    """Ready addresses with the port's number; three of them and how many more."""
    if not slices:
        return "<none>"
    texts: list[str] = []
    more = 0
    for endpoint_slice in slices:
        numbers = [port.get("port") for port in endpoint_slice.get("ports") or () if (port.get("name") or "") == port_name]
        for endpoint in endpoint_slice.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            for address in endpoint.get("addresses") or ():
                for number in numbers:
                    if len(texts) < _SHOWN_ENDPOINTS:
                        texts.append(f"[{address}]:{number}" if ":" in address else f"{address}:{number}")
                    else:
                        more += 1
    return ",".join(texts) + (f" + {more} more..." if more else "")


async def describe_namespace(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    _head(out, obj, namespaced=False)
    status = objects.status(obj)
    out.line(0, f"Status:\t{status.get('phase', '')}")
    conditions = status.get("conditions") or []
    if conditions:
        out.raw("Conditions:\n  Type\tStatus\tLastTransitionTime\tReason\tMessage\n")
        out.raw("  ----\t------\t------------------\t------\t-------\n")
        from kctl.cli.describe.values import long_time

        for condition in conditions:
            out.line(
                1,
                f"{condition['type']}\t{condition['status']}\t{long_time(condition.get('lastTransitionTime'))}\t"
                f"{condition.get('reason', '')}\t{condition.get('message', '')}",
            )
    quotas = await _listed(client, RESOURCE_QUOTAS, objects.name(obj))
    limits = await _listed(client, LIMIT_RANGES, objects.name(obj))
    out.raw("\n")
    _quotas(out, quotas)
    out.raw("\n")
    _limit_ranges(out, limits)
    return out.text()


async def _listed(client: Client, resource: object, namespace: str) -> list[Object]:
    try:
        listed: list[Object] = (await client.list(resource, namespace)).get("items") or []  # type: ignore[arg-type]
        return listed
    except ApiError:
        return []


def _quotas(out: Writer, quotas: Sequence[Object]) -> None:
    if not quotas:
        out.line(0, "No resource quota.")
        return
    out.line(0, "Resource Quotas")
    for quota in sorted(quotas, key=objects.name):
        out.raw(f"  Name:\t{objects.name(quota)}\n")
        scopes = objects.spec(quota).get("scopes") or []
        if scopes:
            out.raw(f"  Scopes:\t{', '.join(sorted(scopes))}\n")
            for scope in sorted(scopes):
                if scope in SCOPES:
                    out.raw(f"  * {SCOPES[scope]}\n")
        out.raw("  Resource\tUsed\tHard\n  --------\t---\t---\n")
        status = objects.status(quota)
        for name in sorted(status.get("hard") or {}):
            out.raw(f"  {name}\t{(status.get('used') or {}).get(name, '0')}\t{status['hard'][name]}\n")


def _limit_ranges(out: Writer, ranges: Sequence[Object]) -> None:
    if not ranges:
        out.line(0, "No LimitRange resource.")
        return
    out.line(0, "Resource Limits\n Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio")
    out.raw(" ----\t--------\t---\t---\t---------------\t-------------\t-----------------------\n")
    fields = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")
    for limit_range in ranges:
        for item in objects.spec(limit_range).get("limits") or ():
            for name in sorted({key for field in fields for key in item.get(field) or {}}):
                cells = [str((item.get(field) or {}).get(name, "-")) for field in fields]
                out.raw(f" {item['type']}\t{name}\t" + "\t".join(cells) + "\n")


async def describe_config_map(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    _head(out, obj)
    out.raw("\nData\n====\n")
    for key in sorted(obj.get("data") or {}):
        out.raw(f"{key}:\n----\n{obj['data'][key]}\n\n")
    out.raw("\nBinaryData\n====\n")
    for key in sorted(obj.get("binaryData") or {}):
        out.raw(f"{key}: {len(base64.b64decode(obj['binaryData'][key]))} bytes\n")
    out.raw("\n")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


async def describe_secret(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    _head(out, obj)
    out.raw(f"\nType:\t{obj.get('type', '')}\n\nData\n====\n")
    for key in sorted(obj.get("data") or {}):
        decoded = base64.b64decode(obj["data"][key])
        shown = decoded.decode() if key == "token" and obj.get("type") == "kubernetes.io/service-account-token" else ""
        out.raw(f"{key}:\t{shown or f'{len(decoded)} bytes'}\n")
    return out.text()


async def describe_service_account(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    _head(out, obj)
    for title, field in (("Image pull secrets", "imagePullSecrets"),):
        names = [reference.get("name", "") for reference in obj.get(field) or ()]
        out.raw(f"{title}:\t" + ("\n\t".join(names) or "<none>") + "\n")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()
