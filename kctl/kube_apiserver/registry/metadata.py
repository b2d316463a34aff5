"""ObjectMeta: what the server fills in, keeps, and refuses, alike for every kind (upstream's rest.BeforeCreate and
apimachinery's validation of ObjectMeta, with its wording)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError, forbidden, go_value, invalid, required, too_long
from kctl.apimachinery.labels import validate_key, validate_value
from kctl.apimachinery.objects import Object

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
MAX_ANNOTATIONS = 256 * 1024
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_STANDARD_FINALIZERS = frozenset({"kubernetes", FOREGROUND, ORPHAN})

LOOSE_FINALIZERS = frozenset({"policy", "admissionregistration.k8s.io"})
"""Groups that accept finalizers which are neither standard nor qualified."""

_known_labels: dict[tuple[str, str], None] = {}
_known_keys: dict[str, None] = {}


def random_suffix(randomness: random.Random, length: int = 5) -> str:
    """As k8s.io/apimachinery/pkg/util/rand.String."""
    return "".join(randomness.choices(ALPHABET, k=length))


def generate_name(prefix: str, randomness: random.Random) -> str:
    return prefix[:58] + random_suffix(randomness)


_FREE_BITS = (1 << 128) - 1 & ~(0xF << 76 | 0xC << 60)
_VERSION_4 = 0x4 << 76 | 0x8 << 60


def new_uid(randomness: random.Random) -> str:
    """A random (version 4) UUID."""
    text = f"{randomness.getrandbits(128) & _FREE_BITS | _VERSION_4:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _remember(table: dict[Any, None], key: Any) -> None:
    if len(table) > 50_000:
        table.clear()
    table[key] = None


def label_errors(path: str, labels: dict[str, str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for pair in labels.items():
        if pair in _known_labels:
            continue
        key, value = pair
        found = [invalid(path, key, problem) for problem in validate_key(key)]
        found += [invalid(path, value, problem) for problem in validate_value(value)]
        if found:
            errors += found
        else:
            _remember(_known_labels, pair)
    return errors


def annotation_errors(path: str, annotations: dict[str, str]) -> list[FieldError]:
    errors: list[FieldError] = []
    size = 0
    for key, value in annotations.items():
        size += len(key) + (len(value) if value.isascii() else len(value.encode()))
        if key not in _known_keys:
            found = [invalid(path, key, problem) for problem in validate_key(key.lower())]
            if found:
                errors += found
            else:
                _remember(_known_keys, key)
    if size > MAX_ANNOTATIONS:
        errors.append(too_long(path, MAX_ANNOTATIONS))
    return errors


def finalizer_errors(path: str, finalizers: Sequence[str], known: bool = True) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, name in enumerate(finalizers):
        problems = validate_key(name)
        if known and not problems and "/" not in name and name not in _STANDARD_FINALIZERS:
            problems = ["name is neither a standard finalizer name nor is it fully qualified"]
        errors += [invalid(f"{path}[{index}]", name, problem) for problem in problems]
    if ORPHAN in finalizers and FOREGROUND in finalizers:
        why = f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set"
        errors.append(invalid(path, list(finalizers), why))
    return errors


def owner_reference_errors(path: str, references: Sequence[dict[str, Any]]) -> list[FieldError]:
    errors: list[FieldError] = []
    controller = ""
    for reference in references:
        errors += _owner_errors(path, reference)
        if reference.get("controller"):
            name = f"{reference.get('kind', '')} {reference.get('name', '')}"
            if controller:
                why = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller.replace(' ', '/')} and {name.replace(' ', '/')}"
                )
                errors.append(invalid(path, references, why))
            else:
                controller = name
    return errors


def _owner_errors(path: str, reference: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    version = reference.get("apiVersion") or ""
    if not version:
        errors.append(invalid(f"{path}.apiVersion", version, "version must not be empty"))
    kind = reference.get("kind") or ""
    if not kind:
        errors.append(invalid(f"{path}.kind", kind, "must not be empty"))
    if not reference.get("name"):
        errors.append(invalid(f"{path}.name", "", "must not be empty"))
    if not reference.get("uid"):
        errors.append(invalid(f"{path}.uid", "", "must not be empty"))
    if version == "v1" and kind == "Event":
        gvk = f"/{version}, Kind={kind}"
        errors.append(invalid(path, gvk, f"{gvk} is disallowed from being an owner"))
    return errors


def validate(meta: dict[str, Any], *, namespaced: bool, name_rule: str, is_create: bool, known_finalizers: bool = True) -> list[FieldError]:
    """validation.ValidateObjectMeta: everything about one object's metadata by itself."""
    errors: list[FieldError] = []
    generate = meta.get("generateName")
    if generate:
        stem = generate[:-1] + "a" if generate.endswith("-") and len(generate) > 1 else generate
        errors += [invalid("metadata.generateName", generate, why) for why in names.object_name(name_rule, stem)]
    name = meta.get("name")
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    elif is_create:
        errors += [invalid("metadata.name", name, why) for why in names.object_name(name_rule, name)]
    space = meta.get("namespace")
    if namespaced:
        if not space:
            errors.append(required("metadata.namespace"))
        elif is_create:
            errors += [invalid("metadata.namespace", space, why) for why in names.namespace_problems(space)]
    elif space:
        errors.append(forbidden("metadata.namespace", "not allowed on this type"))
    if meta.get("generation", 0) < 0:
        errors.append(invalid("metadata.generation", meta["generation"], "must be greater than or equal to 0"))
    if labels := meta.get("labels"):
        errors += label_errors("metadata.labels", labels)
    if annotations := meta.get("annotations"):
        errors += annotation_errors("metadata.annotations", annotations)
    if references := meta.get("ownerReferences"):
        errors += owner_reference_errors("metadata.ownerReferences", references)
    if finalizers := meta.get("finalizers"):
        errors += finalizer_errors("metadata.finalizers", finalizers, known_finalizers)
    return errors


IMMUTABLE = "field is immutable"
_FIXED = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def validate_update(meta: dict[str, Any], old: dict[str, Any]) -> list[FieldError]:
    """validation.ValidateObjectMetaUpdate, after `prepare_for_update` has copied what clients may leave out."""
    errors: list[FieldError] = []
    if meta.get("generation", 0) < old.get("generation", 0):
        errors.append(invalid("metadata.generation", meta.get("generation", 0), "must not be decremented"))
    for field in _FIXED:
        if meta.get(field) != old.get(field):
            value = meta.get(field)
            if field in ("name", "namespace", "uid"):
                value = value or ""
            errors.append(invalid(f"metadata.{field}", value, IMMUTABLE))
    if old.get("deletionTimestamp"):
        present = set(old.get("finalizers") or ())
        added = [name for name in meta.get("finalizers") or () if name not in present]
        if added:
            shown = "[]string{" + ", ".join(go_value(name) for name in sorted(added)) + "}"
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
            errors.append(forbidden("metadata.finalizers", why))
    return errors


def prepare_for_update(meta: dict[str, Any], old: dict[str, Any]) -> None:
    """What an update may not change and clients may leave out: kept from `old`. `meta` is private."""
    for field in ("uid", "creationTimestamp", "namespace", "generateName"):
        if field in ("uid", "namespace") and meta.get(field):
            continue
        _keep(meta, old, field)
    for field in ("generation", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        _keep(meta, old, field)


def _keep(meta: dict[str, Any], old: dict[str, Any], field: str) -> None:
    if field in old:
        meta[field] = old[field]
    else:
        meta.pop(field, None)


_GENERATED = frozenset(
    ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion", "selfLink")
)


def strip_generated(obj: Object) -> dict[str, Any]:
    """A private copy of metadata without what only the server sets on create."""
    meta = obj.get("metadata") or {}
    return dict(meta) if _GENERATED.isdisjoint(meta) else {field: value for field, value in meta.items() if field not in _GENERATED}
