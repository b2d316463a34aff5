"""CronJobs on the real API server: a standing clock makes a day pass in no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controllers.kube_controller_manager.cronjob import due
from kctl.apimachinery import cron, objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CRON_JOBS, JOBS, PODS
from kctl.apimachinery.times import rfc3339
from tests.integration.control_plane import ControlPlane, control_plane

CONTROLLERS = ("cronjob-controller", "job-controller", "garbage-collector-controller")


async def create(plane: ControlPlane, **spec: Any) -> Object:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "img:1"}]}
    template = {"metadata": {"labels": {"t": "l"}, "annotations": {"a": "n"}}, "spec": {"template": {"spec": pod}}}
    wanted = {"schedule": "* * * * *", "jobTemplate": template, **spec}
    body = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": wanted}
    return await plane.client.create(CRON_JOBS, body, "default")


async def pass_minutes(plane: ControlPlane, minutes: int, *, finish: bool = True, failed: bool = False) -> None:
    for _ in range(minutes):
        await plane.settle(60)
        await plane.settle(1)
        if finish:
            await end_pods(plane, "Failed" if failed else "Succeeded")


async def end_pods(plane: ControlPlane, phase: str) -> None:
    for pod in await plane.items(PODS):
        if objects.status(pod).get("phase") == "Running":
            await plane.client.update_status(PODS, objects.with_status(pod, phase=phase))
    await plane.settle(0.5)


async def jobs(plane: ControlPlane) -> list[Object]:
    return sorted(await plane.items(JOBS), key=objects.name)


async def cron_events(plane: ControlPlane) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind, reason, _, count in await plane.events():
        if kind == "CronJob":
            found[reason] = found.get(reason, 0) + count
    return found


async def test_one_job_a_minute_as_recorded() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, concurrencyPolicy="Forbid")
        await plane.settle(5)
        assert await jobs(plane) == []
        await pass_minutes(plane, 1, finish=False)
        (job,) = await jobs(plane)
        moment = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
        assert objects.name(job) == f"tick-{int(moment.timestamp()) // 60}"
        assert objects.labels(job) == {"t": "l"}
        assert objects.annotations(job) == {"a": "n", "batch.kubernetes.io/cronjob-scheduled-timestamp": rfc3339(moment)}
        status = objects.status(await plane.get(CRON_JOBS, "tick"))
        assert status["lastScheduleTime"] == rfc3339(moment)
        (active,) = status["active"]
        assert sorted(active) == ["apiVersion", "kind", "name", "namespace", "resourceVersion", "uid"]
        assert (active["kind"], active["apiVersion"], active["uid"]) == ("Job", "batch/v1", objects.uid(job))
        await end_pods(plane, "Succeeded")
        status = objects.status(await plane.get(CRON_JOBS, "tick"))
        assert "active" not in status and status["lastSuccessfulTime"]
        events = [entry for entry in await plane.events() if entry[0] == "CronJob"]
        assert events == [
            ("CronJob", "SawCompletedJob", f"Saw completed job: {objects.name(job)}, condition: Complete", 1),
            ("CronJob", "SuccessfulCreate", f"Created job {objects.name(job)}", 1),
        ]
        await plane.client.delete(CRON_JOBS, "tick", "default", propagation_policy="Background")
        await plane.settle(2)
        assert await jobs(plane) == []


async def test_histories_are_kept_short() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, successfulJobsHistoryLimit=2)
        await pass_minutes(plane, 5)
        assert len(await jobs(plane)) == 2
        assert (await cron_events(plane))["SuccessfulDelete"] == 3


@pytest.mark.parametrize(
    ("policy", "left", "reason"), [("Allow", 3, ""), ("Forbid", 1, "JobAlreadyActive"), ("Replace", 1, "SuccessfulDelete")]
)
async def test_what_happens_while_the_last_one_runs(policy: str, left: int, reason: str) -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, concurrencyPolicy=policy)
        await pass_minutes(plane, 3, finish=False)
        found = await jobs(plane)
        assert (len(found) == left and not reason) or reason in await cron_events(plane)
        active = objects.status(await plane.get(CRON_JOBS, "tick"))["active"]
        assert sorted(entry["name"] for entry in active) == [objects.name(job) for job in found]


async def test_suspension_and_a_zone() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, schedule="30 9 * * *", timeZone="Asia/Tokyo")
        await pass_minutes(plane, 31)
        (job,) = await jobs(plane)
        stamp = objects.annotations(job)["batch.kubernetes.io/cronjob-scheduled-timestamp"]
        assert stamp == "2026-01-01T09:30:00+09:00"
        await plane.merge(CRON_JOBS, "tick", {"spec": {"suspend": True, "schedule": "* * * * *"}})
        await pass_minutes(plane, 2)
        assert len(await jobs(plane)) == 1


async def test_a_time_missed_is_made_up_for_once_or_not_at_all() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, schedule="*/10 * * * *", suspend=True)
        await pass_minutes(plane, 25)
        await plane.merge(CRON_JOBS, "tick", {"spec": {"suspend": False}})
        await plane.settle(2)
        (job,) = await jobs(plane)
        assert objects.annotations(job)["batch.kubernetes.io/cronjob-scheduled-timestamp"] == "2026-01-01T00:20:00Z"
        await plane.client.delete(CRON_JOBS, "tick", "default", propagation_policy="Background")
        await plane.settle(2)
        await create(plane, schedule="*/10 * * * *", suspend=True, startingDeadlineSeconds=60)
        await pass_minutes(plane, 8)
        await plane.merge(CRON_JOBS, "tick", {"spec": {"suspend": False}})
        await plane.settle(2)
        assert await jobs(plane) == []


def _due(schedule: str, created: datetime, now: datetime, **spec: Any) -> tuple[datetime | None, bool]:
    body = {"metadata": {"creationTimestamp": rfc3339(created)}, "spec": spec}
    return due(body, cron.parse(schedule), UTC, now)


def test_what_is_due_after_a_long_absence() -> None:
    created, now = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, 0, 0, 30, tzinfo=UTC)
    assert _due("* * * * *", created, now) == (datetime(2027, 1, 1, tzinfo=UTC), True)
    assert _due("0 3 * * 1", created, now)[0] == datetime(2026, 12, 28, 3, tzinfo=UTC)
    assert _due("0 0 1 1 *", created, now)[0] == datetime(2027, 1, 1, tzinfo=UTC)
    assert _due("0 3 * * *", created, created + timedelta(hours=2)) == (None, False)
    assert _due("* * * * *", created, now, startingDeadlineSeconds=200) == (datetime(2027, 1, 1, tzinfo=UTC), False)
    # Uneven times: two close together, then a long pause.
    assert _due("0,1 0 1 * *", created - timedelta(hours=1), now)[0] == datetime(2027, 1, 1, tzinfo=UTC)
