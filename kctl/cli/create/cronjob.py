"""kctl create cronjob."""

from __future__ import annotations

from kctl.cli.create.generator import Generator
from kctl.cli.create.job import pod_template
from kctl.cli.flags import flag


class CreateCronJob(Generator):
    """Create a cron job with the specified name."""

    name = "cronjob"
    usage = "NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...]"
    required = ("image", "schedule")
    takes_command = True

    image: str = flag("--image", help="Image name to run.")
    schedule: str = flag("--schedule", help="A schedule in the Cron format the job should be run with.")
    restart: str = flag("--restart", help="job's restart policy. supported values: OnFailure, Never")

    async def run(self) -> None:
        name, words = self.object_name, self.words
        template = pod_template(name, self.image, words, self.restart or "OnFailure")
        spec = {"schedule": self.schedule, "jobTemplate": {"metadata": {"name": name}, "spec": {"template": template}}}
        obj = {"kind": "CronJob", "apiVersion": "batch/v1", "metadata": {"name": name}, "spec": spec, "status": {}}
        await self.create(obj, failure="failed to create cronjob: ")
