"""kctl create cronjob."""

from __future__ import annotations

from typing import Any

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.create.generator import Generator, generator_flags, name_and_command, require_flags
from kctl.cli.create.job import pod_template
from kctl.cli.flags import flag
from kctl.cli.session import Session


@click.command(
    "cronjob",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a cron job with the specified name",
    usage="NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...]",
)
@flag("--image", help="Image name to run.")
@flag("--schedule", help="A schedule in the Cron format the job should be run with.")
@flag("--restart", help="job's restart policy. supported values: OnFailure, Never")
@generator_flags()
async def command(session: Session, arguments: tuple[str, ...], image: str, schedule: str, restart: str, **flags: Any) -> None:
    """Create a cron job with the specified name."""
    generator = Generator.of(session, flags)
    require_flags(session, "image", "schedule")
    name, words = name_and_command(session, arguments)
    template = pod_template(name, image, words, restart or "OnFailure")
    spec = {"schedule": schedule, "jobTemplate": {"metadata": {"name": name}, "spec": {"template": template}}}
    obj = {"kind": "CronJob", "apiVersion": "batch/v1", "metadata": {"name": name}, "spec": spec, "status": {}}
    await generator.run(obj, failure="failed to create cronjob: ")
