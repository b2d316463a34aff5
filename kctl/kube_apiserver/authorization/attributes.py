"""What an authorizer is asked: who wants to do what (upstream's authorizer.Attributes)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kctl.apimachinery.user import User

NO_FIELDS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Attributes:
    """`path` is set for what is no resource, and then `resource` is ''. `namespace` '' is the whole cluster; that of a Namespace
    is itself. `fields`: the values that a field selector demands, by path."""

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_resource(self) -> bool:
        return not self.path

    @property
    def is_long_running(self) -> bool:
        """Whether the answer may take as long as the client likes: watches, logs, streams."""
        return self.verb in ("watch", "proxy") or self.subresource in ("attach", "exec", "proxy", "log", "portforward")
