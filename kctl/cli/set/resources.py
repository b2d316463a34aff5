"""kctl set resources: what the containers of a pod template request and are limited to."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import quantity
from kctl.apimachinery.objects import Object
from kctl.cli import options
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.set.changing import Changing, wildcard
from kctl.cli.set.pod_specs import pod_spec, with_pod_spec
from kctl.cli.targets import Target

_FORM = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_HELP = "The resource requirement requests for this container.  For example, 'cpu=100m,memory=256Mi'.  Note that server side components may assign requests depending on the server configuration, such as limit ranges."


class SetResources(Changing):
    """Specify compute resource requirements (CPU, memory) for containers of pod templates.

    What a container asks for but no limit is given for can take more while a node has it; a request without a number defaults to the
    limit.
    """

    name = "resources"
    usage = "(-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS]"
    examples = """
  # Limit the container nginx of a deployment
  kctl set resources deployment nginx -c=nginx --limits=cpu=200m,memory=512Mi

  # Requests and limits for all its containers
  kctl set resources deployment nginx --limits=cpu=200m,memory=512Mi --requests=cpu=100m,memory=256Mi

  # Take the requests and limits away
  kctl set resources deployment nginx --limits=cpu=0,memory=0 --requests=cpu=0,memory=0
"""
    done = "resource requirements updated"
    failure = "failed to patch resources update to pod template"

    containers: str = flag(
        "-c",
        "--containers",
        default="*",
        help="The names of containers in the selected pod templates to change, all containers are selected by default - may use wildcards",
    )
    limits: str = flag("--limits", help=_HELP)
    requests: str = flag("--requests", help=_HELP)
    selector: str = options.selector()

    def complete(self) -> None:
        self.resources = self.arguments

    def validate(self) -> None:
        if self.all and self.selector:
            raise CommandError("cannot set --all and --selector at the same time")
        if not self.limits and not self.requests:
            raise CommandError("you must specify an update to requests or limits (in the form of --requests/--limits)")
        self._wanted = {"limits": _amounts(self.limits), "requests": _amounts(self.requests)}
        self.require_resources()

    def changed_object(self, target: Target) -> Object:
        spec = pod_spec(target.resource, target.object)
        containers = spec.get("containers") or []
        if not any(wildcard(self.containers, container["name"]) for container in containers):
            raise CommandError(f"unable to find container named {self.containers}")
        changed = [self._container(each) if wildcard(self.containers, each["name"]) else each for each in containers]
        return with_pod_spec(target.resource, target.object, {**spec, "containers": changed})

    def _container(self, container: dict[str, Any]) -> dict[str, Any]:
        resources = dict(container.get("resources") or {})
        for field, amounts in self._wanted.items():
            if amounts:
                resources[field] = {**(resources.get(field) or {}), **amounts}
        return {**container, "resources": resources}


def _amounts(text: str) -> dict[str, str]:
    """cpu=100m,memory=256Mi"""
    amounts: dict[str, str] = {}
    for part in text.split(",") if text else ():
        name, equals, amount = part.partition("=")
        if not equals or "=" in amount:
            raise CommandError(f"invalid argument syntax {part}, expected <resource>=<value>")
        if not quantity.valid(amount):
            raise CommandError(_FORM)
        amounts[name] = quantity.canonical(amount)
    return amounts
