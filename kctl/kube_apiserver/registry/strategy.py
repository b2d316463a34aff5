"""What a kind may add to the generic create, update and delete: one small Strategy per resource.

Order of a create (registry/create.py): decode and canonicalize by schema (unknown fields, types, empty values dropped as
Go's omitempty drops them) -> fill metadata (name, uid, creationTimestamp, generation 1) -> `default` -> mutating admission ->
`prepare_for_create` -> `validate` -> validating admission -> store. Of an update: decode -> `default` -> admission ->
`prepare_for_update` (keeps status, or on /status keeps everything but status) -> `validate_update` -> store, or nothing where
nothing changed. Metadata itself (names, labels, owner references, finalizers, immutable uid...) is validated by
the generic code.

Ownership of objects: `default` and the `prepare_*` hooks get a private deep copy as `obj` and change it in place. All
other arguments (`old`, what `context.get` returns) are values and must not be changed. `validate*` and `warnings*` change nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, MutableSequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.user import User
from kctl.kube_apiserver.allocators import Allocators

if TYPE_CHECKING:
    from kctl.kube_apiserver.authorization.authorization import Authorization


@dataclass(slots=True)
class Reinvocation:
    """Mutating admission of one request is gone through a second time where a webhook (or policy) has changed the object. `kept`: what
    plugins remember of the first round, by their names."""

    needed: bool = False
    is_second_round: bool = False
    kept: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Context:
    """What a hook may know besides the object. `get`/`list` read other objects from the cache: (resource, namespace, name)
    and (resource, namespace). `subresource` is '' for the object itself, 'status', 'scale', ..."""

    resource: ResourceType
    namespace: str
    user: User
    now: datetime
    randomness: random.Random
    get: Callable[[ResourceType, str, str], Object | None]
    list: Callable[[ResourceType, str], Iterable[Object]]
    subresource: str = ""
    dry_run: bool = False
    allocators: Allocators | None = None
    """The pools of cluster IPs and node ports; None where a strategy is used by itself."""
    authorization: Authorization | None = None
    """For kinds that give permissions, or need some besides the request's own; None where a strategy is used by itself."""
    warnings: MutableSequence[str] = field(default_factory=lambda: [])
    """What the answer warns of."""
    audit_annotations: dict[str, str] | None = None
    """What plugins want in the audit log; None where nobody keeps one."""
    reinvocation: Reinvocation | None = None
    """Made by the first plugin that may change what others have seen."""
    beside_loop: bool = False
    """Validation runs beside the event loop: it may take as long as it takes. On the loop it is Lengthy where that is too long."""


class Lengthy(Exception):
    """It takes longer than the event loop may be held: to be done again beside it."""


class Strategy:
    """The behaviour of a kind with nothing special: no defaults, a spec with a generation, a status of its own.

    Class attributes are the facts; methods are the hooks. Subclass, override what differs, list the instance in
    strategies.py.
    """

    allow_create_on_update: bool = False
    """PUT of a missing object creates it (Lease, Event, Endpoints, Service...)."""
    allow_unconditional_update: bool = True
    """An update without metadata.resourceVersion is accepted (last write wins); else `must be specified for an update`."""
    has_generation: bool = True
    """metadata.generation is 1 on create and goes up when `generation_fields` change."""
    generation_fields: tuple[str, ...] = ("spec",)
    status_fields: tuple[str, ...] = ("status",)
    """Top-level fields owned by the status subresource; ignored elsewhere, the only ones changed by PUT .../status.
    Only honoured where the resource has a status subresource."""
    reset_status_on_create: bool = True
    graceful: bool = False
    """Deletion honours gracePeriodSeconds (pods)."""
    default_propagation_policy: str = "Background"
    """What DELETE without a policy does; legacy ReplicationController and Job: Orphan."""
    returns_deleted_object: bool = False
    """DELETE answers with the object instead of a Status when it is gone at once."""
    shares_admitted_spec: bool = False
    """Objects that components make from one template (pods) share the defaulted, admitted, validated spec of the first:
    `default`, `prepare_for_create`, `validate` must then depend on spec, namespace and the server's state only."""
    name_validator: str = "subdomain"
    """Rule for metadata.name: subdomain, label (DNS-1123 label), service (DNS-1035 label), path_segment, config_map_key,
    ip_address (a canonical one)."""
    changes_on_create: bool = True
    """False: `default` and `prepare_for_create` leave the object alone, so that one from a component is stored as it is."""
    changes_on_update: bool = True
    """The same for updates, with `prepare_for_update`."""
    needs_permission: bool = False
    """`check_permission` is to be asked: writing such an object takes more than the permission to write it."""
    annotates: bool = False
    """Conversion writes annotations that stand for fields: `versioned` says what who owns what is seen from."""
    allocates: bool = False
    """Preparing takes from a shared pool (cluster IPs, node ports): `after_update` and `after_failure` are called."""
    selectable_fields: Mapping[str, Callable[[Object], str]] = {}
    """Field selectors besides metadata.name and metadata.namespace: path to value as text ('' where unset)."""
    unknown_field_message: str = "field label not supported"
    """What a selector of any other field is told, where a kind has selectable fields: followed by the field, or with {} for it."""

    def default(self, context: Context, obj: Object) -> None:
        """Go's defaulting (SetDefaults_*). Also runs on updates."""

    def check_permission(self, context: Context, obj: Object, old: Object | None) -> None:
        """Refuse what the caller may not do with this object, after mutating admission; `old` is None for a create. Changes nothing."""

    def versioned(self, obj: Object) -> Object:
        """For kinds that `annotates`: what was sent, as conversion to a version shows it before the strategy has prepared it."""
        return obj

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        """Clear what callers may not set, derive what the server sets (after the generic status reset)."""

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        """Restore what this request may not change."""

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return []

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        """All problems of an update of the object itself; usually those of `validate` plus immutability."""
        return self.validate(context, obj)

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return []

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        return []

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        return []

    def after_update(self, context: Context, obj: Object, old: Object) -> None:
        """Release what `old` held and `obj`, now stored in its place, does not."""

    def after_failure(self, context: Context, obj: Object, old: Object) -> None:
        """Give back what `prepare_for_update` took for `obj`, which was not stored."""

    def after_delete(self, context: Context, obj: Object) -> None:
        """Release what the object held (cluster IPs, node ports); also called for a create that failed after its preparation."""

    def deletion_grace_seconds(self, obj: Object, requested: int | None) -> int:
        """For `graceful` kinds: the seconds to grant; 0 removes the object at once."""
        return 0

    def mark_deletion(self, context: Context, obj: Object) -> None:
        """Change `obj` (private) when its deletion begins and it stays for a while, e.g. a namespace's phase."""

    def holds_deletion(self, obj: Object) -> bool:
        """True while a deleted object must stay though metadata.finalizers is empty (spec.finalizers of a namespace)."""
        return False

    def warnings_on_delete(self, context: Context, propagation_policy: str) -> list[str]:
        """`propagation_policy` as the request gives it, '' where it gives none. Asked before the object is looked up."""
        return []
