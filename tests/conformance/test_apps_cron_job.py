"""The official conformance tests of CronJobs, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.times import rfc3339
from tests.conformance.operations import operations
from tests.conformance.suite import BATCH, Suite, suite, template

pytestmark = pytest.mark.virtual_time
CRON_JOBS, JOBS = f"{BATCH}/cronjobs", f"{BATCH}/jobs"


def spec(policy: str = "Allow", schedule: str = "*/1 * * * ?", **more: Any) -> Object:
    made = template({}, "busybox:1", {"kctl.dev/run-duration": "300s"}, restartPolicy="OnFailure")
    job = {"spec": {"parallelism": 1, "completions": 1, "template": made}}
    return {"schedule": schedule, "concurrencyPolicy": policy, "jobTemplate": job, **more}


async def scheduled(e2e: Suite, active: int) -> list[Object]:
    """So many active Jobs, as the status has them and as they are."""
    await e2e.until(f"{CRON_JOBS}/cj", lambda made: len(made["status"].get("active", ())) >= active, 200)
    return [each for each in await e2e.items(JOBS) if each["status"].get("active")]


async def test_concurrent_jobs() -> None:
    """[sig-apps] CronJob should schedule multiple jobs concurrently [Conformance]"""
    async with suite() as e2e:
        await e2e.create(CRON_JOBS, {"metadata": {"name": "cj"}, "spec": spec()})
        assert len(await scheduled(e2e, 2)) >= 2
        await e2e.delete(f"{CRON_JOBS}/cj", propagationPolicy="Background")
        await e2e.gone(f"{CRON_JOBS}/cj")


async def test_suspended() -> None:
    """[sig-apps] CronJob should not schedule jobs when suspended [Slow] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(CRON_JOBS, {"metadata": {"name": "cj"}, "spec": spec(suspend=True)})
        await e2e.settle(300)
        assert not (await e2e.get(f"{CRON_JOBS}/cj"))["status"].get("active") and await e2e.items(JOBS) == []
        await e2e.delete(f"{CRON_JOBS}/cj")
        await e2e.gone(f"{CRON_JOBS}/cj")


async def test_forbid() -> None:
    """[sig-apps] CronJob should not schedule new jobs when ForbidConcurrent [Slow] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(CRON_JOBS, {"metadata": {"name": "cj"}, "spec": spec("Forbid")})
        (first,) = await scheduled(e2e, 1)
        assert len((await e2e.get(f"{CRON_JOBS}/cj"))["status"]["active"]) == 1
        await e2e.settle(200)
        assert len((await e2e.get(f"{CRON_JOBS}/cj"))["status"]["active"]) == 1
        (only,) = await scheduled(e2e, 1)
        assert objects.uid(only) == objects.uid(first)
        await e2e.delete(f"{CRON_JOBS}/cj")


async def test_replace() -> None:
    """[sig-apps] CronJob should replace jobs when ReplaceConcurrent [Conformance]"""
    async with suite() as e2e:
        await e2e.create(CRON_JOBS, {"metadata": {"name": "cj"}, "spec": spec("Replace")})
        (first,) = await scheduled(e2e, 1)

        def replaced(made: Object) -> bool:
            active = made["status"].get("active", [])
            return len(active) == 1 and active[0]["name"] != objects.name(first)

        await e2e.until(f"{CRON_JOBS}/cj", replaced)
        await e2e.gone(f"{JOBS}/{objects.name(first)}")
        assert len(await scheduled(e2e, 1)) == 1


async def test_operations() -> None:
    """[sig-apps] CronJob should support CronJob API operations [Conformance]"""

    async def status(e2e: Suite, path: str) -> None:
        first = rfc3339(e2e.cluster.clock.now())
        change = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"lastScheduleTime": first}}
        patched = await e2e.patch(f"{path}/status", change)
        assert patched["status"]["lastScheduleTime"] == first and objects.annotations(patched)["patchedstatus"] == "true"
        await e2e.settle(2)
        second = rfc3339(e2e.cluster.clock.now())
        updated = await e2e.update_until(f"{path}/status", lambda made: objects.with_status(made, lastScheduleTime=second))
        assert updated["status"]["lastScheduleTime"] == second
        assert objects.uid(await e2e.get(f"{path}/status")) == objects.uid(updated)

    async with suite() as e2e:
        await operations(e2e, "batch/v1", "CronJob", {"spec": spec(schedule="* */1 * * ?", suspend=True)}, status=status)
