"""kctl create job: from an image, or from a CronJob's template."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CRON_JOBS
from kctl.cli.create.generator import Generator
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session


class CreateJob(Generator):
    """Create a job with the specified name."""

    name = "job"
    usage = "NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...]"
    takes_command = True

    image: str = flag("--image", help="Image name to run.")
    source: str = flag("--from", help="The name of the resource to create a Job from (only cronjob is supported).")

    async def run(self) -> None:
        name, words = self.object_name, self.words
        if bool(self.image) == bool(self.source):
            raise CommandError("either --image or --from must be specified")
        if words and self.source:
            raise CommandError("cannot specify --from and command")
        obj = from_image(name, self.image, words) if self.image else await _from_cronjob(self.session, name, self.source)
        await self.create(obj, failure="failed to create job: ")


def pod_template(name: str, image: str, words: list[str], restart: str) -> Object:
    container: dict[str, Any] = {"name": name, "image": image, **({"command": words} if words else {}), "resources": {}}
    return {"metadata": {}, "spec": {"containers": [container], "restartPolicy": restart}}


def from_image(name: str, image: str, words: list[str]) -> Object:
    spec = {"template": pod_template(name, image, words, "Never")}
    return {"kind": "Job", "apiVersion": "batch/v1", "metadata": {"name": name}, "spec": spec, "status": {}}


async def _from_cronjob(session: Session, name: str, source: str) -> Object:
    kind, _, cronjob = source.partition("/")
    resource = await (await session.mapper()).resource(kind)
    if resource.kind != "CronJob" or not cronjob:
        raise CommandError("from must be an existing cronjob")
    cron_job = await (await session.client()).get(CRON_JOBS, cronjob, session.namespace)
    template = objects.spec(cron_job).get("jobTemplate") or {}
    template_meta = template.get("metadata") or {}
    meta: dict[str, Any] = {"name": name}
    if template_meta.get("labels"):
        meta["labels"] = template_meta["labels"]
    meta["annotations"] = {**(template_meta.get("annotations") or {}), "cronjob.kubernetes.io/instantiate": "manual"}
    meta["ownerReferences"] = [
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": objects.name(cron_job),
            "uid": objects.uid(cron_job),
            "controller": True,
        }
    ]
    return {"kind": "Job", "apiVersion": "batch/v1", "metadata": meta, "spec": template.get("spec") or {}, "status": {}}
