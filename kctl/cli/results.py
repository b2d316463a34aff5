"""What a changing command prints: `deployment.apps/web created`, or the object with -o; with the dry run marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.cli.builder import qualified_name
from kctl.cli.errors import CommandError
from kctl.cli.options import DryRun
from kctl.cli.session import Session
from kctl.printers.go_json import json_text
from kctl.printers.output import OBJECT_FORMATS, printer_for
from kctl.printers.output import name_of as _name
from kctl.printers.printer import OutputError, Printer

_METADATA = (
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)
"""The fields of ObjectMeta in the order of its Go type."""
MARKS = {"none": "", "client": " (dry run)", "server": " (server dry run)"}


class ObjectCommand(Protocol):
    """A command with the flags of ObjectOutput."""

    session: Session
    output: str
    template: str
    show_managed_fields: bool
    allow_missing_template_keys: bool


class Results:
    """`in_field_order`: JSON keeps the object's own order of keys, as kubectl prints objects of known Go types."""

    def __init__(
        self,
        session: Session,
        output: str = "",
        template: str = "",
        show_managed_fields: bool = False,
        allow_missing_template_keys: bool = True,
        dry_run: DryRun = "none",
        in_field_order: bool = False,
    ) -> None:
        self.session = session
        self.output = output
        self.template = template
        self.show_managed_fields = show_managed_fields
        self.allow_missing_template_keys = allow_missing_template_keys
        self.dry_run = dry_run
        self.in_field_order = in_field_order
        self._printer: Printer | None = None

    @classmethod
    def of(cls, command: ObjectCommand, dry_run: DryRun = "none", *, in_field_order: bool = False) -> Results:
        """The output flags of a command."""
        return cls(
            command.session,
            command.output,
            command.template,
            command.show_managed_fields,
            command.allow_missing_template_keys,
            dry_run,
            in_field_order,
        )

    def check(self) -> None:
        """Refuse an unknown format before anything is changed."""
        if self.prints_objects or self.output:
            self._object_printer()

    @property
    def prints_objects(self) -> bool:
        return bool(self.output or self.template) and self.output != "name"

    def print(self, resource: ResourceType, obj: Object, operation: str) -> None:
        name = _name(obj) if obj.get("kind") else qualified_name(resource, objects.name(obj))
        if self.prints_objects:
            self.print_object(obj)
        elif self.output == "name":
            self.session.print(name)
        else:
            self.session.print(f"{name} {operation}{MARKS[self.dry_run]}")

    def print_object(self, obj: Object) -> None:
        self.session.write(self.text(obj))

    def text(self, obj: Object) -> str:
        try:
            return self._object_printer()(obj)
        except OutputError as error:
            raise CommandError(str(error)) from None

    def print_all(self, items: Sequence[Object]) -> None:
        """One object as itself, several as a List (apply -o yaml)."""
        if len(items) == 1:
            self.print_object(items[0])
        elif items:
            self.print_object({"apiVersion": "v1", "items": list(items), "kind": "List", "metadata": {}})

    def _object_printer(self) -> Printer:
        if self._printer is None:
            try:
                self._printer = printer_for(
                    self.output,
                    self.template,
                    allow_missing_keys=self.allow_missing_template_keys,
                    show_managed_fields=self.show_managed_fields,
                    formats=OBJECT_FORMATS,
                )
            except OutputError as error:
                raise CommandError(str(error)) from None
            if self.in_field_order and self.output == "json":
                self._printer = lambda obj: json_text(self._in_go_order(obj), sort_keys=False)
            elif self.in_field_order and self.output == "kyaml":
                from kctl.printers.kyaml import KyamlPrinter

                kyaml = KyamlPrinter(sort_keys=False)
                self._printer = lambda obj: kyaml.print(self._in_go_order(obj))
        return self._printer

    def _in_go_order(self, obj: Object) -> Object:
        """Metadata comes from the server in the order in which it was made, and kubectl prints it as its Go type has it."""
        if isinstance(obj.get("items"), list):
            return {**obj, "items": [self._in_go_order(item) for item in obj["items"]]}
        meta = obj.get("metadata")
        if not isinstance(meta, dict):
            return obj
        names = [name for name in _METADATA if name in meta] + [name for name in meta if name not in _METADATA]
        if not self.show_managed_fields:
            names = [name for name in names if name != "managedFields"]
        return {**obj, "metadata": {name: meta[name] for name in names}}
