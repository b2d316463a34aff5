"""kctl rollout undo: back to an earlier pod template."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.rollout.revisions import Revision, revisions_of, without_hash
from kctl.cli.targets import Target, live
from kctl.client.client import Client
from kctl.client.transport import JSON_PATCH, STRATEGIC_MERGE_PATCH

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_APPLIED_WARNING = (
    "Warning: resource {} was previously managed with 'kubectl apply'. Rolling back will not update the "
    "kubectl.kubernetes.io/last-applied-configuration annotation, which may cause unexpected behavior on future 'kubectl apply' "
    "operations. Consider using 'kubectl apply' with your previous configuration file instead."
)
_SKIPPED_ANNOTATIONS = (
    _LAST_APPLIED,
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
)


class RolloutUndo(ObjectOutput, Manifests, Command):
    """Roll back to a previous rollout."""

    name = "undo"
    usage = "(TYPE NAME | TYPE/NAME)"

    to_revision: int = flag("--to-revision", kind="int", help="The revision to rollback to. Default to 0 (last revision).")
    selector: str = options.selector()
    dry_run: str = options.dry_run()
    filename: Sequence[str] = options.filename("identifying the resource to get from a server.")

    async def run(self) -> None:
        strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        results = Results(self.session, self.output, self.template, self.show_managed_fields, self.allow_missing_template_keys, strategy)
        results.check()
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, self.selector, validate=False)
        if not self.arguments and not builder.has_files:
            raise UsageError("required resource not specified")
        client = await self.session.client()
        for target in await live(builder, self.arguments):
            if _LAST_APPLIED in objects.annotations(target.object):
                self.session.error(_APPLIED_WARNING.format(f"{target.resource.plural}/{target.name}"))
            try:
                result = await _undo(client, target, self.to_revision, strategy != "none", strategy == "server")
                if not results.output and strategy == "none":
                    self.session.print(f"{target.full_name} {result}")
                else:
                    results.print(target.resource, target.object, result)
            except (ApiError, CommandError) as error:
                builder.errors.append(error)
        builder.finish()


async def _undo(client: Client, target: Target, to_revision: int, dry_run: bool, on_server: bool) -> str:
    """What to say of it."""
    revisions = await revisions_of(client, target)
    chosen = _choose(revisions, to_revision, target)
    if target.resource.group_resource == "deployments.apps" and objects.spec(target.object).get("paused"):
        raise CommandError(
            f"you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume {target.full_name}' and try again"
        )
    template = without_hash(chosen.template)
    if template == without_hash(objects.spec(target.object).get("template") or {}):
        return f"skipped rollback (current template already matches revision {chosen.number})"
    if not dry_run or on_server:
        await _send(client, target, chosen, template, dry_run)
    return "rolled back"


def _choose(revisions: list[Revision], to_revision: int, target: Target) -> Revision:
    if to_revision:
        chosen = next((revision for revision in revisions if revision.number == to_revision), None)
        if chosen is None:
            raise CommandError(f"unable to find specified revision {to_revision} in history")
        return chosen
    if len(revisions) < 2:
        kind = target.resource.kind.lower() if target.resource.plural != "deployments" else "deployment"
        if target.resource.plural == "deployments":
            raise CommandError(f'no rollout history found for {kind} "{target.name}"')
        raise CommandError("no last revision to roll back to")
    return revisions[-2]


async def _send(client: Client, target: Target, chosen: Revision, template: Object, dry_run: bool) -> None:
    if target.resource.plural == "deployments":
        old = objects.annotations(target.object)
        kept = {key: old[key] for key in _SKIPPED_ANNOTATIONS if key in old}
        theirs = {key: value for key, value in objects.annotations(chosen.source).items() if key not in _SKIPPED_ANNOTATIONS}
        patch = [
            {"op": "replace", "path": "/spec/template", "value": template},
            {"op": "replace", "path": "/metadata/annotations", "value": {**kept, **theirs}},
        ]
        await client.patch(target.resource, target.name, patch, target.namespace, patch_type=JSON_PATCH, dry_run=dry_run)
    else:
        data = chosen.source.get("data") or {}
        await client.patch(target.resource, target.name, data, target.namespace, patch_type=STRATEGIC_MERGE_PATCH, dry_run=dry_run)
