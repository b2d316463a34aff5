"""`kctl describe cronjob`."""

from __future__ import annotations

from datetime import datetime

from kctl.apimachinery import labels as label_selectors
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli.describe.events import describe_events, events_of
from kctl.cli.describe.pod import describe_template
from kctl.cli.describe.values import boolean, long_time, or_unset
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client


async def describe_cron_job(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec, status = objects.metadata(obj), objects.spec(obj), objects.status(obj)
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Namespace:\t{meta['namespace']}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    out.line(0, f"Schedule:\t{spec.get('schedule', '')}")
    out.line(0, f"Concurrency Policy:\t{spec.get('concurrencyPolicy', '')}")
    out.line(0, f"Suspend:\t{boolean(spec.get('suspend'))}")
    out.line(0, f"Time Zone:\t{or_unset(spec.get('timeZone'))}")
    out.line(0, f"Successful Job History Limit:\t{or_unset(spec.get('successfulJobsHistoryLimit'))}")
    out.line(0, f"Failed Job History Limit:\t{or_unset(spec.get('failedJobsHistoryLimit'))}")
    deadline = spec.get("startingDeadlineSeconds")
    out.line(0, f"Starting Deadline Seconds:\t{'<unset>' if deadline is None else f'{deadline}s'}")
    _job(out, objects.spec(spec.get("jobTemplate") or {}))
    last = status.get("lastScheduleTime")
    out.line(0, f"Last Schedule Time:\t{long_time(last) if last else '<unset>'}")
    active = ", ".join(job.get("name", "") for job in status.get("active") or ())
    out.line(0, f"Active Jobs:\t{active or '<none>'}")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


def _job(out: Writer, spec: Object) -> None:
    selector = spec.get("selector")
    out.line(0, f"Selector:\t{'<unset>' if selector is None else label_selectors.format_selector(selector)}")
    out.line(0, f"Parallelism:\t{or_unset(spec.get('parallelism'))}")
    out.line(0, f"Completions:\t{or_unset(spec.get('completions'))}")
    if spec.get("activeDeadlineSeconds") is not None:
        out.line(0, f"Active Deadline Seconds:\t{spec['activeDeadlineSeconds']}s")
    describe_template(out, spec.get("template"))
