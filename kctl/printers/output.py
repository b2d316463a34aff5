"""-o FORMAT: the printers that show objects rather than tables, chosen by name.

`printer_for` gives an object with `print(obj) -> str`; the text is complete, with its newline where kubectl writes one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from kctl.apimachinery.objects import Object
from kctl.printers.go_json import json_text
from kctl.printers.printer import OutputError, Printer, items_of

OBJECT_FORMATS: Final = (
    "go-template",
    "go-template-file",
    "json",
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
    "kyaml",
    "name",
    "template",
    "templatefile",
    "yaml",
)
GET_FORMATS: Final = tuple(sorted((*OBJECT_FORMATS, "custom-columns", "custom-columns-file", "wide")))
_TEMPLATES: Final = (
    "go-template-file",
    "go-template",
    "templatefile",
    "template",
    "jsonpath-as-json",
    "jsonpath-file",
    "jsonpath",
    "custom-columns-file",
    "custom-columns",
)


def split_format(output: str, template: str = "") -> tuple[str, str]:
    """(format, template): `jsonpath={.x}` holds both; with --template alone the format is go-template."""
    for name in _TEMPLATES:
        if output.startswith(name + "="):
            return name, output[len(name) + 1 :]
    if not output and template:
        return "go-template", template
    return output, template


def printer_for(
    output: str,
    template: str = "",
    *,
    allow_missing_keys: bool = True,
    show_managed_fields: bool = False,
    formats: Sequence[str] = OBJECT_FORMATS,
    no_headers: bool = False,
) -> Printer:
    """Raises OutputError."""
    form, template = split_format(output, template)
    if form not in formats:
        raise OutputError(f'unable to match a printer suitable for the output format "{output}", allowed formats are: {",".join(formats)}')
    match form:
        case "json":
            return _without_managed_fields(json_text, show_managed_fields)
        case "yaml":
            return _without_managed_fields(YamlPrinter().print, show_managed_fields)
        case "kyaml":
            from kctl.printers.kyaml import KyamlPrinter

            return _without_managed_fields(KyamlPrinter().print, show_managed_fields)
        case "name":
            return lambda obj: "".join(f"{name_of(item)}\n" for item in items_of(obj))
        case "go-template" | "template" | "go-template-file" | "templatefile":
            return _go_template(form, template, allow_missing_keys)
        case "custom-columns" | "custom-columns-file":
            from kctl.printers.custom_columns import printer

            return printer(_given(form, template, "custom-columns"), from_file=form.endswith("file"), no_headers=no_headers)
    return _jsonpath(form, template, allow_missing_keys)


def _given(form: str, template: str, kind: str) -> str:
    if not template:
        what = "template format specified but no template given"
        if form.startswith("custom-columns"):
            what = f"{form} format specified but no custom columns given"
        raise OutputError(what)
    if not form.endswith("file"):
        return template
    try:
        return Path(template).read_text()
    except OSError as error:
        raise OutputError(f"error reading template {template}, open {template}: {(error.strerror or '').lower()}") from None


def name_of(obj: Object) -> str:
    """pod/x, deployment.apps/x: by the object's own kind."""
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    kind = str(obj.get("kind") or "<unknown>").lower()
    name = (obj.get("metadata") or {}).get("name", "")
    return f"{kind}.{group}/{name}" if group else f"{kind}/{name}"


def without_managed_fields(obj: Object) -> Object:
    """For display: metadata.managedFields left out, of every item."""
    items = obj.get("items")
    if isinstance(items, list) and "managedFields" not in (obj.get("metadata") or {}):
        return {**obj, "items": [without_managed_fields(item) if isinstance(item, dict) else item for item in items]}
    if obj.get("type") and isinstance(obj.get("object"), dict):
        return {**obj, "object": without_managed_fields(obj["object"])}
    meta = obj.get("metadata")
    if isinstance(meta, dict) and "managedFields" in meta:
        return {**obj, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}
    return obj


def _without_managed_fields(printer: Printer, show: bool) -> Printer:
    return printer if show else lambda obj: printer(without_managed_fields(obj))


class YamlPrinter:
    """Documents after the first are introduced by `---`."""

    def __init__(self) -> None:
        self._count = 0

    def print(self, obj: Object) -> str:
        from kctl.apimachinery.yaml import dump

        self._count += 1
        return ("---\n" if self._count > 1 else "") + dump(obj)


def _jsonpath(form: str, template: str, allow_missing_keys: bool) -> Printer:
    from kctl.apimachinery import jsonpath

    text = _given(form, template, "jsonpath")
    try:
        parsed = jsonpath.parse(text, allow_missing_keys=allow_missing_keys)
    except jsonpath.JSONPathError as error:
        raise OutputError(f"error parsing jsonpath {text}, {error}") from None

    def show(obj: Object) -> str:
        try:
            if form == "jsonpath-as-json":
                return json_text([value for values in parsed.find(obj) for value in values])
            return parsed.render(obj)
        except jsonpath.JSONPathError as error:
            raise OutputError(
                f'error executing jsonpath "{text}": Error executing template: {error}. Printing more information for '
                f"debugging the template:\n\ttemplate was:\n\t\t{text}\n\tobject given to jsonpath engine was:\n\t\t{go_value(obj)}\n\n"
            ) from None

    return show


def go_value(value: Any) -> str:
    """Go's %#v of decoded JSON."""
    if isinstance(value, dict):
        return "map[string]interface {}{" + ", ".join(f"{json.dumps(k)}:{go_value(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(go_value(part) for part in value) + "}"
    if value is None:
        return "interface {}(nil)"
    return json.dumps(value, ensure_ascii=False)


def _go_template(form: str, template: str, allow_missing_keys: bool) -> Printer:
    from kctl.printers import go_template

    text = _given(form, template, "go-template")
    try:
        parsed = go_template.parse(text)
    except go_template.TemplateError as error:
        raise OutputError(f"error parsing template {text}, template: output:{error}") from None

    def show(obj: Object) -> str:
        try:
            return parsed.render(obj, allow_missing_keys=allow_missing_keys)
        except go_template.TemplateError as error:
            raise OutputError(f'error executing template "{text}": template: output:{error}') from None

    return show
