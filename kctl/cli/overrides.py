"""--overrides and --override-type: what kubectl run and expose let a user change in the object they made (cmdutil.Merge)."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.objects import Object
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag


def flag_overrides() -> Any:
    return flag(
        "--overrides",
        help="An inline JSON override for the generated object. If this is non-empty, it is used to override the generated object. Requires that the object supply a valid apiVersion field.",
    )


def flag_override_type() -> Any:
    return flag("--override-type", default="merge", help="The method used to override the generated object: json, merge, or strategic.")


def overridden(obj: Object, text: str, kind: str) -> Object:
    """The object as the patch `text` of the type `kind` makes it."""
    import orjson

    from kctl.apimachinery.json_patch import JsonPatchError
    from kctl.apimachinery.resources import built_in
    from kctl.cli.builder import Selection
    from kctl.cli.patch import apply_locally

    if kind not in ("json", "merge", "strategic"):
        raise CommandError(f"invalid override type: {kind}")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise CommandError("Invalid JSON Patch") from None
    selection = Selection(built_in(obj["apiVersion"], obj["kind"]), "")
    try:
        made = apply_locally(selection, obj, document, kind)
    except JsonPatchError as error:
        raise CommandError(str(error)) from None
    if (made.get("apiVersion"), made.get("kind")) != (obj["apiVersion"], obj["kind"]):
        version, named = made.get("apiVersion") or "", made.get("kind") or ""
        raise CommandError(f'no kind "{named}" is registered for version "{version}" in scheme "pkg/scheme/scheme.go:28"')
    return made
