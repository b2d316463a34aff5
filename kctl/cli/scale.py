"""kctl scale."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.targets import Target, live
from kctl.client.client import Client

EXAMPLES = """
  # Scale a replica set named 'foo' to 3
  kctl scale --replicas=3 rs/foo

  # If the deployment named mysql's current size is 2, scale mysql to 3
  kctl scale --current-replicas=2 --replicas=3 deployment/mysql
"""


class Scale(ObjectOutput, Manifests, Command):
    """Set a new size for a deployment, replica set, replication controller, or stateful set.

    --current-replicas and --resource-version are preconditions checked before the new size is set.
    """

    name = "scale"
    usage = "[--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME)"
    examples = EXAMPLES

    replicas: int = flag("--replicas", kind="int", help="The new desired number of replicas. Required.")
    current_replicas: int = flag(
        "--current-replicas", kind="int", default=-1, help="Precondition for current size. -1 (default) for no condition."
    )
    resource_version: str = flag(
        "--resource-version",
        help="Precondition for resource version. Requires that the current resource version match this value.",
    )
    timeout: float = flag(
        "--timeout",
        kind="duration",
        help="The length of time to wait before giving up on a scale operation, zero means don't wait.",
    )
    all: bool = flag("--all", kind="bool", help="Select all resources in the namespace of the specified resource types")
    selector: str = options.selector()
    dry_run: str = options.dry_run()
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files identifying the resource to set a new size")

    async def run(self) -> None:
        if "replicas" not in self.session.changed:
            raise CommandError('required flag(s) "replicas" not set')
        if self.replicas < 0:
            raise CommandError("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
        strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        results = Results(self.session, self.output, self.template, self.show_managed_fields, self.allow_missing_template_keys, strategy)
        results.check()
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, self.selector, select_all=self.all, validate=False)
        targets = await live(builder, self.arguments, allow_collection=False)
        if self.resource_version and len(targets) > 1:
            raise CommandError("cannot use --resource-version with multiple resources")
        client = await self.session.client()
        for target in targets:
            try:
                if strategy != "client":
                    await _scale(client, target, self.replicas, self.current_replicas, self.resource_version, strategy == "server")
                    if self.timeout and strategy == "none":
                        await _wait(client, target, self.replicas, self.timeout)
                results.print(target.resource, target.object, "scaled")
            except (ApiError, CommandError) as error:
                builder.errors.append(error)
        builder.finish()
        if not targets:
            raise CommandError("no objects passed to scale")


async def _scale(client: Client, target: Target, replicas: int, current: int, resource_version: str, dry_run: bool) -> Object:
    """Through the scale subresource, whatever the kind."""
    patch: Object = {"spec": {"replicas": replicas}}
    if current >= 0 or resource_version:
        scale = await client.get(target.resource, target.name, target.namespace, subresource="scale")
        present = objects.spec(scale).get("replicas", 0)
        if current >= 0 and present != current:
            raise CommandError(f"Expected replicas to be {current}, was {present}")
        if resource_version and objects.resource_version(scale) != resource_version:
            raise CommandError(f"Expected resource version to be {resource_version}, was {objects.resource_version(scale)}")
        patch["metadata"] = {"resourceVersion": objects.resource_version(scale)}
    return await client.patch(target.resource, target.name, patch, target.namespace, subresource="scale", dry_run=dry_run)


async def _wait(client: Client, target: Target, replicas: int, timeout: float) -> None:
    """Until the controller has made as many."""
    import asyncio

    async def reached() -> None:
        events = await client.watch(
            target.resource, target.namespace, field_selector=f"metadata.name={target.name}", send_initial_events=True
        )
        async for batch in events:
            for event in batch:
                status = objects.status(event.object)
                if event.type in ("ADDED", "MODIFIED") and status.get("replicas", 0) == replicas:
                    return

    try:
        await asyncio.wait_for(reached(), timeout)
    except TimeoutError:
        raise CommandError("timed out waiting for the condition") from None
