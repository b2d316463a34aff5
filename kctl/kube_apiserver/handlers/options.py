"""CreateOptions, UpdateOptions, PatchOptions, DeleteOptions: the parameters of a write, checked with the API's wording."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery.field_errors import FieldError, forbidden, invalid, required, too_long, unsupported
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import BadRequest
from kctl.apimachinery.status import invalid as invalid_status
from kctl.kube_apiserver.handlers import body
from kctl.kube_apiserver.registry.delete import DeleteOptions
from kctl.kube_apiserver.registry.list_options import parse_bool, parse_int
from kctl.kube_apiserver.request import ResourceRequest

META_GROUP = "meta.k8s.io"


def check_write(request: ResourceRequest, kind: str, *, apply: bool = False) -> None:
    """Raises Invalid for parameters that are not allowed."""
    if request.is_canonical and not apply:
        return
    query = request.query
    errors: list[FieldError] = []
    if kind == "PatchOptions":
        if apply:
            if not query.get("fieldManager"):
                errors.append(required("fieldManager", "is required for apply patch"))
        elif "force" in query:
            errors.append(forbidden("force", "may not be specified for non-apply patch"))
    errors += _manager_errors(query.get("fieldManager", ""))
    errors += _dry_run_errors([query["dryRun"]] if "dryRun" in query else [])
    validation = query.get("fieldValidation", "")
    if validation not in ("", "Ignore", "Strict", "Warn"):
        errors.append(unsupported("fieldValidation", validation, ("", "Ignore", "Strict", "Warn")))
    if errors:
        raise invalid_status(META_GROUP, kind, "", errors)


def _manager_errors(manager: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if len(manager.encode()) > 128:
        errors.append(too_long("fieldManager", 128))
    for index, letter in enumerate(manager):
        if not letter.isprintable():
            why = f"invalid character U+{ord(letter):04X} (at position {index})"
            errors.append(invalid("fieldManager", manager, why))
            break
    return errors


def _dry_run_errors(values: Sequence[str]) -> list[FieldError]:
    if all(value == "All" for value in values):
        return []
    shown = list(values)
    return [FieldError("Unsupported value", "dryRun", unsupported("dryRun", shown, ("All",)).body)]


def delete_options(request: ResourceRequest) -> tuple[DeleteOptions, bool]:
    """The options and whether it is a dry run. Body first; without one the URL parameters count."""
    given = body.decode_delete_options(request)
    if given is None:
        given = _from_query(request)
    elif request.is_canonical:
        return plain_delete_options(given), given.get("dryRun") == ["All"]
    _check_delete(given)
    return plain_delete_options(given), given.get("dryRun") == ["All"]


def _from_query(request: ResourceRequest) -> Object:
    query = request.query
    given: Object = {}
    if "gracePeriodSeconds" in query:
        given["gracePeriodSeconds"] = parse_int(query["gracePeriodSeconds"])
    if "propagationPolicy" in query:
        given["propagationPolicy"] = query["propagationPolicy"]
    if "orphanDependents" in query:
        given["orphanDependents"] = parse_bool(query["orphanDependents"])
    if "dryRun" in query:
        given["dryRun"] = [query["dryRun"]]
    return given


def _check_delete(given: Object) -> None:
    errors: list[FieldError] = []
    policy = given.get("propagationPolicy")
    if policy is not None and given.get("orphanDependents") is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(invalid("propagationPolicy", policy, why))
    elif policy is not None and policy not in ("Foreground", "Background", "Orphan"):
        errors.append(unsupported("propagationPolicy", policy, ("Foreground", "Background", "Orphan", "nil")))
    errors += _dry_run_errors(given.get("dryRun") or [])
    if errors:
        raise invalid_status(META_GROUP, "DeleteOptions", "", errors)


def plain_delete_options(given: Object) -> DeleteOptions:
    preconditions = given.get("preconditions") or {}
    policy = given.get("propagationPolicy") or ""
    if given.get("orphanDependents") is not None:
        policy = "Orphan" if given["orphanDependents"] else "Background"
    grace = given.get("gracePeriodSeconds")
    if grace is not None and not isinstance(grace, int):
        raise BadRequest("gracePeriodSeconds must be a number")
    return DeleteOptions(grace, policy, preconditions.get("uid") or "", preconditions.get("resourceVersion") or "")
