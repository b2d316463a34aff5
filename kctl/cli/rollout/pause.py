"""kctl rollout pause, resume and restart: small changes of the object that a controller then follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import KubectlCommand
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.cli.targets import Target, live
from kctl.client.transport import STRATEGIC_MERGE_PATCH

_RESTARTABLE = ("deployments.apps", "daemonsets.apps", "statefulsets.apps")
_USAGE = "(TYPE NAME | TYPE/NAME)"


def _pause_patch(target: Target) -> Object:
    _only_deployments(target, "pausing")
    if objects.spec(target.object).get("paused"):
        raise CommandError(f'{target.resource.group_resource} "{target.name}" is already paused')
    return {"spec": {"paused": True}}


def _resume_patch(target: Target) -> Object:
    _only_deployments(target, "resuming")
    if not objects.spec(target.object).get("paused"):
        raise CommandError(f'{target.resource.group_resource} "{target.name}" is not paused')
    return {"spec": {"paused": None}}


def _only_deployments(target: Target, what: str) -> None:
    if target.resource.group_resource != "deployments.apps":
        raise CommandError(f'{target.resource.group_resource} "{target.name}" {what} is not supported')


def _restart_patch(target: Target) -> Object:
    if target.resource.group_resource not in _RESTARTABLE:
        raise CommandError(f'{target.resource.group_resource} "{target.name}" restarting is not supported')
    if objects.spec(target.object).get("paused"):
        raise CommandError(f'{target.resource.group_resource} "{target.name}" can\'t restart paused deployment (run rollout resume first)')
    stamp = {"kubectl.kubernetes.io/restartedAt": times.rfc3339(datetime.now(UTC))}
    return {"spec": {"template": {"metadata": {"annotations": stamp}}}}


async def _change(session: Session, arguments: tuple[str, ...], patch_for: Callable[[Target], Object], done: str, **more: Any) -> None:
    builder = Builder(session, more["filename"], more["kustomize"], more["recursive"], more["selector"], validate=False)
    if not arguments and not builder.has_files:
        raise UsageError("required resource not specified")
    results = Results(session, more["output"], more["template"], more["show_managed_fields"], more["allow_missing_template_keys"])
    results.check()
    client = await session.client()
    for target in await live(builder, arguments):
        try:
            changed = await client.patch(
                target.resource,
                target.name,
                patch_for(target),
                target.namespace,
                patch_type=STRATEGIC_MERGE_PATCH,
                field_manager=more["field_manager"],
            )
            results.print(target.resource, changed, done)
        except ApiError as error:
            builder.errors.append(CommandError(f"failed to patch: {error.message}"))
        except CommandError as error:
            builder.errors.append(error)
    builder.finish()


@click.command("pause", cls=KubectlCommand, short_help="Mark the provided resource as paused", usage=_USAGE)
@options.selector()
@options.output()
@options.field_manager("kubectl-rollout")
@options.filename("identifying the resource to get from a server.")
async def pause(session: Session, arguments: tuple[str, ...], **more: Any) -> None:
    """Mark the provided resource as paused.

    Paused resources will not be reconciled by a controller; "kctl rollout resume" resumes them.
    """
    await _change(session, arguments, _pause_patch, "paused", **more)


@click.command("resume", cls=KubectlCommand, short_help="Resume a paused resource", usage=_USAGE)
@options.selector()
@options.output()
@options.field_manager("kubectl-rollout")
@options.filename("identifying the resource to get from a server.")
async def resume(session: Session, arguments: tuple[str, ...], **more: Any) -> None:
    """Resume a paused resource, so that its controller reconciles it again."""
    await _change(session, arguments, _resume_patch, "resumed", **more)


@click.command("restart", cls=KubectlCommand, short_help="Restart a resource", usage=_USAGE)
@options.selector()
@options.output()
@options.field_manager("kubectl-rollout")
@options.filename("identifying the resource to get from a server.")
async def restart(session: Session, arguments: tuple[str, ...], **more: Any) -> None:
    """Restart a resource: its pods are replaced by a rollout of the same template."""
    await _change(session, arguments, _restart_patch, "restarted", **more)
