"""kctl set selector: which pods a Service is for."""

from __future__ import annotations

from kctl.apimachinery import labels
from kctl.apimachinery.objects import Object
from kctl.cli import options
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.set.changing import Changing
from kctl.cli.targets import Target


class SetSelector(Changing):
    """Set the selector of a service. The new one replaces the old one. Other kinds have selectors that cannot be changed."""

    name = "selector"
    usage = "(-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version]"
    examples = """
  # Let a service find its pods by another label
  kctl set selector service web environment=qa
"""
    done = "selector updated"
    says_unchanged = True
    each_by_itself = True
    kustomize = ""
    recursive: bool = options.recursive(default=True)

    resource_version: str = flag(
        "--resource-version",
        help="If non-empty, the selectors update will only succeed if this is the current resource-version for the object. Only valid when specifying a single resource.",
    )

    def complete(self) -> None:
        self.resources, self._text = self.arguments[:-1], "".join(self.arguments[-1:])

    def validate(self) -> None:
        self.require_resources()

    async def prepare(self) -> None:
        self._wanted = _requirements(self._text)

    def changed_object(self, target: Target) -> Object:
        if target.resource.group_resource != "services":
            raise CommandError("setting a selector is only supported for Services")
        spec = {**target.object.get("spec", {}), "selector": self._wanted}
        changed = {**target.object, "spec": spec}
        if self.resource_version:
            changed["metadata"] = {**changed["metadata"], "resourceVersion": self.resource_version}
        return changed


def _requirements(text: str) -> dict[str, str]:
    try:
        selector = labels.parse(text)
    except ValueError as error:
        raise CommandError(str(error)) from None
    if "!=" in text:
        raise CommandError('"!=" is not a valid label selector operator')
    wanted: dict[str, str] = {}
    for requirement in selector.requirements:
        key, operator, values = requirement.key, requirement.operator, sorted(requirement.values)
        if operator not in ("=", "==") or len(values) != 1:
            raise CommandError(
                f"match expression [{{{key} {_GO_OPERATORS.get(operator, operator)} [{' '.join(values)}]}}] not supported on this object"
            )
        wanted[key] = values[0]
    return wanted


_GO_OPERATORS = {"in": "In", "notin": "NotIn", "exists": "Exists", "!": "DoesNotExist"}
