"""What an authorizer is asked: who wants to do what (upstream's authorizer.Attributes)."""

from __future__ import annotations

from dataclasses import dataclass

from kctl.apimachinery.fields import FieldRequirement
from kctl.apimachinery.user import User


@dataclass(frozen=True, slots=True)
class Attributes:
    """`path` is set for what is no resource, and then `resource` is ''. `namespace` '' is the whole cluster; that of a Namespace
    is itself. `fields`: the requirements of a field selector, all of which hold."""

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    fields: tuple[FieldRequirement, ...] = ()

    @property
    def is_resource(self) -> bool:
        return not self.path
