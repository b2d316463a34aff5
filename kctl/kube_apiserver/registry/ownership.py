"""Where the registry keeps metadata.managedFields: every create and update passes here before admission, as upstream's handlers call the
field manager. In a stored object they are a ManagedFields (a value shared with others that look alike), never a plain list.
"""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.field_ownership import managed_fields
from kctl.apimachinery.field_ownership.managed_fields import FIELD, ManagedFields
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.caller import Caller
from kctl.kube_apiserver.registry.served_resource import ServedResource


def own_new(served: ServedResource, obj: Object, caller: Caller, now: str, *, apart: bool = False) -> None:
    """Note in the metadata of a new object, in the form it is stored in, who made it. What the request says of managedFields counts as
    what was there before. `apart`: in a thread of its own, as of large objects."""
    meta = obj["metadata"]
    if caller.applies:
        return
    before = None
    if FIELD in meta:
        before = _before(meta.pop(FIELD))
    if served.conversion is not None and served.converts:
        obj = served.from_storage(obj)
    elif served.strategy.annotates:
        obj = served.strategy.versioned(obj)
    made = (served.trackers[""] if "" in served.trackers else served.tracker("")).created(obj, caller.manager, now, before, apart=apart)
    if made is not None:
        meta[FIELD] = made


def own_update(
    served: ServedResource, obj: Object, old: Object, caller: Caller, subresource: str, now: str, *, part: str = "", apart: bool = False
) -> None:
    """Note in the metadata of `obj` (private), which takes the place of `old`, what the caller has changed; `part` is what alone can
    differ."""
    if caller.applies:
        return
    meta = obj["metadata"]
    old_meta = old["metadata"]
    current = old_meta[FIELD] if FIELD in old_meta else None  # noqa: SIM401 - no call
    if FIELD in meta:
        given = meta[FIELD]
        if given is not current and given is not None and not subresource:
            current = None if _is_reset(given) else _before(given) or current
        del meta[FIELD]
    if served.conversion is not None and served.converts:
        obj, old = served.from_storage(obj), served.from_storage(old)
    elif served.strategy.annotates:
        obj = served.strategy.versioned(obj)
    tracked = served.trackers[subresource] if subresource in served.trackers else served.tracker(subresource)
    kept = tracked.updated(old, obj, current, caller.manager, now, part=part, apart=apart)
    if kept is not None:
        meta[FIELD] = kept


def _is_reset(given: Any) -> bool:
    """Whether a request wants to forget everybody."""
    return isinstance(given, list) and (not given or given == [{}])


def _before(given: Any) -> ManagedFields | None:
    """What a request says of who owns what; None where it says nothing that can be used."""
    if type(given) is ManagedFields or not given:
        return given or None
    try:
        return managed_fields.read(given)
    except (ValueError, TypeError, AttributeError):
        return None


def keep_times(obj: Object, old: Object) -> bool:
    """Give `obj` the managedFields of `old` back where they differ in nothing but times; whether they did. An update that changes
    nothing else is none."""
    meta = obj["metadata"]
    new, before = meta.get(FIELD), old["metadata"].get(FIELD)
    if new is before or new is None or before is None or not new.same_but_for_times(before):
        return False
    meta[FIELD] = before
    return True
