"""Server-side apply as the API server answers it: which configurations are refused and in which words, conflicts, and kubectl's
annotation of client-side apply (apimachinery's versioncheck, lastappliedmanager and lastappliedupdater)."""

from __future__ import annotations

import json
from typing import Any

import orjson

from kctl.apimachinery.field_ownership import applier as updater
from kctl.apimachinery.field_ownership import paths, sets, typed
from kctl.apimachinery.field_ownership.applier import Conflicts
from kctl.apimachinery.field_ownership.compare import compare
from kctl.apimachinery.field_ownership.entries import APPLY, Managed, Manager
from kctl.apimachinery.field_ownership.entries import manager as manager_of
from kctl.apimachinery.field_ownership.managers import Form
from kctl.apimachinery.field_ownership.paths import ElementError
from kctl.apimachinery.field_ownership.sets import FieldSet
from kctl.apimachinery.field_ownership.typed import TypedError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, BadRequest, Conflict

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_KUBECTL = "kubectl"
"""The manager that takes over what it applied on the client's side."""
_MAX_ANNOTATIONS = 256 * 1024


def apply(
    live: Object, configuration: Any, managed: Managed, manager: str, subresource: str, now: str, form: Form, kind: str, *, force: bool
) -> tuple[Object, Managed]:
    """The object that applying makes of `live` (the form's zero for a new one), `live` itself where nothing changes, and its managers.
    Raises BadRequest, Conflict, and ApiError (500) for a configuration that is none of the kind."""
    check(configuration, form, kind)
    applier = manager_of(manager, APPLY, form.api_version, subresource)
    try:
        new, owners = _apply(live, configuration, managed, applier, now, form, force)
    except Conflicts as error:
        raise conflict(error.found) from None
    except ElementError as error:
        raise ApiError(f"failed to create typed live object ({_named(live, form.api_version, kind)}): {error}", code=500) from None
    annotations = (new.get("metadata") or {}).get("annotations") or {}
    if manager == _KUBECTL and annotations.get(LAST_APPLIED):
        new = _with_last_applied(new, configuration)
    return new, owners


def check(configuration: Any, form: Form, kind: str) -> None:
    """Refuses what is no configuration of the kind. Raises BadRequest, and ApiError (500)."""
    given = configuration if isinstance(configuration, dict) else {}
    api_version, own_kind = (part if isinstance(part := given.get(name), str) else "" for name in ("apiVersion", "kind"))
    if (api_version, own_kind) != (form.api_version, kind):
        raise BadRequest(f"invalid object type: {_kind_text(api_version, own_kind)}")
    meta = given.get("metadata")
    if isinstance(meta, dict) and meta.get("managedFields") is not None:
        raise BadRequest("metadata.managedFields must be nil")
    try:
        typed.check(given, form.field_type)
    except TypedError as error:
        raise ApiError(f"failed to create typed patch object ({_named(given, api_version, kind)}): {error}", code=500) from None


def _kind_text(api_version: str, kind: str) -> str:
    """As Go prints a GroupVersionKind."""
    group, _, version = api_version.rpartition("/")
    return f"{group}/{version}, Kind={kind}"


def _named(obj: Object, api_version: str, kind: str) -> str:
    meta = obj.get("metadata")
    name, space = (part if isinstance(meta, dict) and isinstance(part := meta.get(field), str) else "" for field in ("name", "namespace"))
    return f"{space}/{name}; {_kind_text(api_version, kind)}"


def _apply(
    live: Object, configuration: Object, managed: Managed, applier: Manager, now: str, form: Form, force: bool
) -> tuple[Object, Managed]:
    try:
        return updater.apply(live, configuration, managed, applier, now, form, force=force)
    except Conflicts as error:
        allowed = _applied_by_client(live, form) if applier.name == _KUBECTL else None
        if allowed is None:
            raise
        left = {who: kept for who, found in error.found.items() if (kept := sets.difference(found, allowed))}
        if left:
            raise Conflicts(left) from None
    return updater.apply(live, configuration, managed, applier, now, form, force=True)


def _applied_by_client(live: Object, form: Form) -> FieldSet | None:
    """The fields that `kubectl apply` set and nobody has changed since; None where it left no (usable) annotation."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    if not text:
        return None
    try:
        last = orjson.loads(text)
        if not isinstance(last, dict) or last.get("apiVersion") != form.api_version:
            return None
        typed.check(last, form.field_type)
        applied = typed.field_set(last, form.field_type)
        changes = compare(last, live, form.field_type)
    except ValueError:
        return None
    for changed in (changes.modified, changes.added, changes.removed):
        applied = sets.difference(applied, changed)
    return applied


def _with_last_applied(obj: Object, configuration: Object) -> Object:
    """kubectl's annotation brought up to date, so that its client-side apply finds what was applied last."""
    meta = dict(configuration.get("metadata") or {})
    if meta.get("annotations"):
        meta["annotations"] = {key: value for key, value in meta["annotations"].items() if key != LAST_APPLIED}
        if not meta["annotations"]:
            del meta["annotations"]
    text = json.dumps({**configuration, "metadata": meta}, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    for letter in "<>&":  # as Go's encoder writes them
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    annotations = {**obj["metadata"]["annotations"], LAST_APPLIED: text}
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _MAX_ANNOTATIONS:
        del annotations[LAST_APPLIED]
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}


def conflict(found: dict[Manager, FieldSet]) -> Conflict:
    """The answer to an apply that would change what others own."""
    owners = sorted(found)
    listed = [(who, paths.text(path)) for who in owners for path in sets.members(found[who])]
    causes = [{"reason": "FieldManagerConflict", "message": f"conflict with {who.text()}", "field": path} for who, path in listed]
    if len(listed) == 1:
        message = f"Apply failed with 1 conflict: conflict with {listed[0][0].text()}: {listed[0][1]}"
    else:
        parts = []
        for owner in owners:
            parts += [f"conflicts with {owner.text()}:", *(f"- {path}" for who, path in listed if who == owner)]
        message = f"Apply failed with {len(listed)} conflicts: " + "\n".join(parts)
    return Conflict(message, details={"causes": causes})
