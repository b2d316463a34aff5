"""kctl set image: another image for containers of a pod template."""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.cli import options
from kctl.cli.errors import CommandError
from kctl.cli.metadata_edit import split
from kctl.cli.set.changing import Changing
from kctl.cli.set.pod_specs import pod_spec, with_pod_spec
from kctl.cli.targets import Target

_LISTS = ("initContainers", "containers")


class SetImage(Changing):
    """Update the images of existing containers: of pods, and of everything that has a pod template.

    CONTAINER=IMAGE names what to change; *=IMAGE changes all containers.
    """

    name = "image"
    usage = "(-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N"
    examples = """
  # Roll deployment 'nginx' over to another image
  kctl set image deployment/nginx nginx=nginx:1.28

  # Change every container of every deployment
  kctl set image deployments --all '*=nginx:1.28'
"""
    done = "image updated"
    failure = ""

    selector: str = options.selector()

    def complete(self) -> None:
        self.resources, pairs = split(self.arguments, "image")
        self._images = {name: image for name, _, image in (pair.partition("=") for pair in pairs)}

    def validate(self) -> None:
        if self.all and self.selector:
            raise CommandError("cannot set --all and --selector at the same time")
        self.require_resources()
        if len(self._images) > 1 and "*" in self._images:
            raise CommandError("all containers are already specified by *, but saw more than one container_name=container_image pairs")

    async def prepare(self) -> None:
        if not self._images:
            raise CommandError("at least one image update is required")

    def changed_object(self, target: Target) -> Object:
        spec = pod_spec(target.resource, target.object)
        present = {container["name"] for field in _LISTS for container in spec.get(field) or ()}
        for name in self._images:
            if name != "*" and name not in present:
                raise CommandError(f'unable to find container named "{name}"')
        new = dict(spec)
        for field in filter(spec.get, _LISTS):
            new[field] = [{**container, "image": self._image(container)} for container in spec[field]]
        return with_pod_spec(target.resource, target.object, new)

    def _image(self, container: Object) -> str:
        return str(self._images.get(container["name"]) or self._images.get("*") or container.get("image"))
