"""kctl rollout pause, resume and restart: small changes of the object that a controller then follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.targets import Target, live
from kctl.client.transport import STRATEGIC_MERGE_PATCH

_RESTARTABLE = ("deployments.apps", "daemonsets.apps", "statefulsets.apps")


def _only_deployments(target: Target, what: str) -> None:
    if target.resource.group_resource != "deployments.apps":
        raise CommandError(f'{target.resource.group_resource} "{target.name}" {what} is not supported')


class RolloutChange(ObjectOutput, Manifests, Command):
    """`done` is the word for a change."""

    usage = "(TYPE NAME | TYPE/NAME)"
    done: ClassVar[str]
    selector: str = options.selector()
    field_manager: str = options.field_manager("kubectl-rollout")
    filename: Sequence[str] = options.filename("identifying the resource to get from a server.")

    def patch_for(self, target: Target) -> Object:
        raise NotImplementedError

    def validate(self) -> None:
        if not self.arguments and not self.filename and not self.kustomize:
            raise UsageError("required resource not specified")
        Results.of(self).check()

    async def run(self) -> None:
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, self.selector, validate=False)
        results = Results.of(self)
        client = await self.session.client()
        targets = await live(builder, self.arguments)
        if not targets and not builder.errors:
            self.session.error(f"No resources found in {self.session.namespace} namespace.")
        for target in targets:
            try:
                changed = await client.patch(
                    target.resource,
                    target.name,
                    self.patch_for(target),
                    target.namespace,
                    patch_type=STRATEGIC_MERGE_PATCH,
                    field_manager=self.field_manager,
                )
                results.print(target.resource, changed, self.done)
            except ApiError as error:
                builder.errors.append(CommandError(f"failed to patch: {error.message}"))
            except CommandError as error:
                builder.errors.append(error)
        builder.finish()


class RolloutPause(RolloutChange):
    """Mark the provided resource as paused.

    Paused resources will not be reconciled by a controller; "kctl rollout resume" resumes them.
    """

    name = "pause"
    done = "paused"

    def patch_for(self, target: Target) -> Object:
        _only_deployments(target, "pausing")
        if objects.spec(target.object).get("paused"):
            raise CommandError(f'{target.resource.group_resource} "{target.name}" is already paused')
        return {"spec": {"paused": True}}


class RolloutResume(RolloutChange):
    """Resume a paused resource, so that its controller reconciles it again."""

    name = "resume"
    done = "resumed"

    def patch_for(self, target: Target) -> Object:
        _only_deployments(target, "resuming")
        if not objects.spec(target.object).get("paused"):
            raise CommandError(f'{target.resource.group_resource} "{target.name}" is not paused')
        return {"spec": {"paused": None}}


class RolloutRestart(RolloutChange):
    """Restart a resource: its pods are replaced by a rollout of the same template."""

    name = "restart"
    done = "restarted"

    def patch_for(self, target: Target) -> Object:
        if target.resource.group_resource not in _RESTARTABLE:
            raise CommandError(f'{target.resource.group_resource} "{target.name}" restarting is not supported')
        if objects.spec(target.object).get("paused"):
            raise CommandError(
                f'{target.resource.group_resource} "{target.name}" can\'t restart paused deployment (run rollout resume first)'
            )
        stamp = {"kubectl.kubernetes.io/restartedAt": times.rfc3339(self.session.now())}
        return {"spec": {"template": {"metadata": {"annotations": stamp}}}}
