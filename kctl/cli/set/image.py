"""kctl set image: another image for containers of a pod template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import MISSING, Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.metadata_edit import split
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.set.pod_specs import pod_spec, with_pod_spec
from kctl.cli.targets import Target, live
from kctl.client.transport import STRATEGIC_MERGE_PATCH, ApiRequest

_LISTS = ("initContainers", "containers")


class SetImage(ObjectOutput, Manifests, Command):
    """Update the images of existing containers: of pods, and of everything that has a pod template.

    CONTAINER=IMAGE names what to change; *=IMAGE changes all containers.
    """

    name = "image"
    blocking = True
    usage = "(-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N"
    examples = """
  # Roll deployment 'nginx' over to another image
  kctl set image deployment/nginx nginx=nginx:1.28

  # Change every container of every deployment
  kctl set image deployments --all '*=nginx:1.28'
"""
    done: ClassVar[str] = "image updated"

    all: bool = flag("--all", kind="bool", help="Select all resources, in the namespace of the specified resource types")
    dry_run: str = options.dry_run()
    field_manager: str = options.field_manager("kubectl-set")
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files identifying the resource to get from a server.")
    local: bool = flag("--local", kind="bool", help="If true, set image will NOT contact api-server but run locally.")
    selector: str = options.selector()
    resources: list[str]
    images: dict[str, str]

    def complete(self) -> None:
        self.resources, pairs = split(self.arguments, "image")
        self.images = {name: image for name, _, image in (pair.partition("=") for pair in pairs)}

    def validate(self) -> None:
        if self.local:
            raise CommandError("--local is not supported")
        if self.all and self.selector:
            raise CommandError("cannot set --all and --selector at the same time")
        if not self.resources and not self.filename and not self.kustomize:
            raise CommandError(MISSING)
        if len(self.images) > 1 and "*" in self.images:
            raise CommandError("all containers are already specified by *, but saw more than one container_name=container_image pairs")
        Results.of(self).check()

    async def run(self) -> None:
        strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, self.selector, select_all=self.all, validate=False)
        targets = await live(builder, self.resources, allow_collection=False)
        if not self.images and not builder.errors:
            raise CommandError("at least one image update is required")
        for target in targets:
            try:
                await self._update(target, Results.of(self, strategy))
            except (ApiError, CommandError) as error:
                builder.errors.append(error)
        builder.finish()

    async def _update(self, target: Target, results: Results) -> None:
        old = pod_spec(target.resource, target.object)
        new, patch = self._changed(old)
        if not patch:
            return
        changed = with_pod_spec(target.resource, target.object, new)
        if results.dry_run != "client":
            query = {"fieldManager": self.field_manager} | ({"dryRun": "All"} if results.dry_run == "server" else {})
            document = with_pod_spec(target.resource, {}, patch)
            request = ApiRequest("patch", target.resource, target.namespace, target.name, "", query, document, STRATEGIC_MERGE_PATCH)
            changed = (await (await self.session.client()).call(request)).object
        results.print(target.resource, changed, self.done)

    def _changed(self, spec: Object) -> tuple[Object, Object]:
        """The pod spec with the new images, and the patch of it; the patch is empty if nothing changes."""
        container_names = {container["name"] for field in _LISTS for container in spec.get(field) or ()}
        for name in self.images:
            if name != "*" and name not in container_names:
                raise CommandError(f'unable to find container named "{name}"')
        new, patch = dict(spec), {}
        for field in filter(spec.get, _LISTS):
            new[field] = [{**container, "image": self._image(container)} for container in spec[field]]
            different = [
                {"name": container["name"], "image": self._image(container)}
                for container in spec[field]
                if container.get("image") != self._image(container)
            ]
            if different:
                patch[field] = different
        return new, patch

    def _image(self, container: Object) -> str:
        return str(self.images.get(container["name"]) or self.images.get("*") or container.get("image"))
