"""`kctl describe` of what bounds a namespace's pods: ResourceQuotas, LimitRanges, PodDisruptionBudgets, PriorityClasses."""

from __future__ import annotations

from datetime import datetime

from kctl.apimachinery import labels as label_selectors
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli.describe.events import describe_events, events_of
from kctl.cli.describe.values import go_bool, joined_pairs
from kctl.cli.describe.writer import Writer
from kctl.client.client import Client

SCOPES = {
    "Terminating": "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before "
    "being actively terminated by the system.",
    "NotTerminating": "Matches all pods that do not have an active deadline. These pods usually include long running pods "
    "whose container command is not expected to terminate.",
    "BestEffort": "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.",
    "NotBestEffort": "Matches all pods that have at least one resource requirement set. These pods have a burstable or "
    "guaranteed quality of service.",
}


async def describe_quota(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    spec, status = objects.spec(obj), objects.status(obj)
    out.line(0, f"Name:\t{objects.name(obj)}")
    out.line(0, f"Namespace:\t{objects.namespace(obj)}")
    scopes = spec.get("scopes") or []
    if scopes:
        out.line(0, f"Scopes:\t{', '.join(sorted(scopes))}")
        for scope in sorted(scopes):
            if scope in SCOPES:
                out.line(0, f" * {SCOPES[scope]}")
    out.line(0, "Resource\tUsed\tHard")
    out.line(0, "--------\t----\t----")
    hard, used = status.get("hard") or {}, status.get("used") or {}
    for name in sorted(hard):
        out.line(0, f"{name}\t{used.get(name, '0')}\t{hard[name]}")
    return out.text()


async def describe_limit_range(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    out.line(0, f"Name:\t{objects.name(obj)}")
    out.line(0, f"Namespace:\t{objects.namespace(obj)}")
    out.line(0, "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio")
    out.line(0, "----\t--------\t---\t---\t---------------\t-------------\t-----------------------")
    for item in objects.spec(obj).get("limits") or ():
        columns = [item.get(name) or {} for name in ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")]
        for resource in sorted({name for column in columns for name in column}):
            out.line(0, "\t".join([item["type"], resource, *(str(column.get(resource, "-")) for column in columns)]))
    return out.text()


async def describe_disruption_budget(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    spec, status = objects.spec(obj), objects.status(obj)
    out.line(0, f"Name:\t{objects.name(obj)}")
    out.line(0, f"Namespace:\t{objects.namespace(obj)}")
    if spec.get("minAvailable") is not None:
        out.line(0, f"Min available:\t{spec['minAvailable']}")
    elif spec.get("maxUnavailable") is not None:
        out.line(0, f"Max unavailable:\t{spec['maxUnavailable']}")
    selector = spec.get("selector")
    out.line(0, f"Selector:\t{'<unset>' if selector is None else label_selectors.format_selector(selector)}")
    out.line(0, "Status:")
    for title, field in (
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ):
        out.line(2, f"{title}:\t{status.get(field, 0)}")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


async def describe_priority_class(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    out.line(0, f"Name:\t{objects.name(obj)}")
    out.line(0, f"Value:\t{obj.get('value', 0)}")
    out.line(0, f"GlobalDefault:\t{go_bool(obj.get('globalDefault'))}")
    out.line(0, f"PreemptionPolicy:\t{obj.get('preemptionPolicy', '')}")
    out.line(0, f"Description:\t{obj.get('description', '')}")
    out.line(0, f"Annotations:\t{joined_pairs(objects.metadata(obj).get('annotations'))}")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()
