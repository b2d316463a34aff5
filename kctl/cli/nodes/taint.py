"""kctl taint: what keeps pods off nodes, added, replaced or removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kctl.apimachinery import labels, names, objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder, Selection
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError, raise_all
from kctl.cli.flags import flag
from kctl.cli.options import DryRun, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.targets import Target, fetch
from kctl.client.transport import STRATEGIC_MERGE_PATCH, ApiRequest

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_TYPES = ("node", "nodes")


class Spec(NamedTuple):
    """key=value:effect; for a removal without an effect, all of that key."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        if not self.effect:
            return f"{self.key}={self.value}:" if self.value else self.key
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"

    def matches(self, taint: Object) -> bool:
        return taint.get("key") == self.key and (not self.effect or taint.get("effect") == self.effect)

    def taint(self) -> Object:
        return {"key": self.key, **({"value": self.value} if self.value else {}), "effect": self.effect}


def parse(text: str) -> Spec:
    """Raises UsageError."""
    parts = text.split(":")
    key, value, effect = parts[0], "", ""
    if len(parts) > 2:
        raise UsageError(f"invalid taint spec: {text}")
    if len(parts) == 2:
        effect = parts[1]
        if effect not in _EFFECTS:
            raise UsageError(f"invalid taint effect: {effect}, unsupported taint effect")
        pair = parts[0].split("=")
        if len(pair) > 2:
            raise UsageError(f"invalid taint spec: {text}")
        key, value = pair[0], pair[1] if len(pair) == 2 else ""
        if problems := labels.validate_value(value):
            raise UsageError(f"invalid taint spec: {text}, {'; '.join(problems)}")
    if problems := names.qualified_name(key):
        raise UsageError(f"invalid taint spec: {text}, {'; '.join(problems)}")
    return Spec(key, value, effect)


class Taint(ObjectOutput, Command):
    """Update the taints on one or more nodes.

    A taint is written key=value:effect, the value being optional; the effect is NoSchedule, PreferNoSchedule or NoExecute.
    key:effect- removes one taint, key- all of that key.
    """

    name = "taint"
    blocking = True
    usage = "NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N"
    examples = """
  # Keep pods off node 'foo' that do not tolerate dedicated=special-user
  kctl taint nodes foo dedicated=special-user:NoSchedule

  # Remove that taint again, whatever its value
  kctl taint nodes foo dedicated:NoSchedule-

  # Remove all taints with key 'dedicated'
  kctl taint nodes foo dedicated-
"""

    all: bool = flag("--all", kind="bool", help="Select all nodes in the cluster")
    dry_run: str = options.dry_run()
    field_manager: str = options.field_manager("kubectl-taint")
    overwrite: bool = flag(
        "--overwrite",
        kind="bool",
        help="If true, allow taints to be overwritten, otherwise reject taint updates that overwrite existing taints.",
    )
    selector: str = options.selector()
    schema_check: str = options.validate()
    resources: list[str]
    added: list[Spec]
    removed: list[Spec]

    def complete(self) -> None:
        self.resources, self.added, self.removed = [], [], []
        words = [argument for argument in self.arguments if "=" in argument or ":" in argument or argument.endswith("-")]
        for word in self.arguments[: len(self.arguments) - len(words)]:
            if word in words:
                late = next(argument for argument in self.arguments[self.arguments.index(words[0]) :] if argument not in words)
                raise CommandError(f"all resources must be specified before taint changes: {late}")
            self.resources.append(word)
        if not self.resources:
            raise CommandError("one or more resources must be specified as <resource> <name>")
        if not words:
            raise CommandError("at least one taint update is required")
        for word in words:
            if word.endswith("-"):
                self.removed.append(parse(word[:-1])._replace(value=""))
            else:
                self._add(word)

    def _add(self, word: str) -> None:
        spec = parse(word)
        if not spec.effect:
            raise UsageError(f"invalid taint spec: {word}")
        if any((taint.key, taint.effect) == (spec.key, spec.effect) for taint in self.added):
            shown = f"{{{spec.key} {spec.value} {spec.effect} <nil>}}"
            raise UsageError(f"duplicated taints with the same key and effect: {shown}")
        self.added.append(spec)

    def validate(self) -> None:
        options.field_validation(self.schema_check)
        if self.resources[0].lower() not in _TYPES:
            raise CommandError(f"invalid resource type {self.resources[0]}, only node types are supported")
        both = [f"{old.key}={old.effect}" for new in self.added for old in self.removed if old.matches(new.taint())]
        if both:
            raise CommandError(f"can not both modify and remove the following taint(s) in the same command: {', '.join(both)}")
        if self.all and self.selector:
            raise CommandError("setting 'all' parameter with a non empty selector is prohibited")
        if not self.all and not self.selector and len(self.resources) < 2:
            raise CommandError("at least one resource name must be specified since 'all' parameter is not set")
        Results.of(self).check()

    async def run(self) -> None:
        strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        results = Results.of(self)  # kubectl does not mark the dry run of a taint
        builder = Builder(self.session, selector=self.selector)
        everywhere = self.all or self.selector
        chosen = [Selection(NODES, "")] if everywhere else [Selection(NODES, "", name) for name in dict.fromkeys(self.resources[1:])]
        errors: list[Exception] = []
        for selection in chosen:
            try:
                for node in await fetch(builder, selection):
                    await self._update(node, results, strategy)
            except (ApiError, CommandError) as error:
                errors.append(error)
        raise_all(errors)

    async def _update(self, node: Target, results: Results, strategy: DryRun) -> None:
        old = objects.spec(node.object).get("taints") or []
        taints, operation = self._reorganized(node.name, old)
        changed = {**node.object, "spec": {**objects.spec(node.object), "taints": taints}}
        if strategy != "client":
            query = {"fieldManager": self.field_manager, "fieldValidation": options.field_validation(self.schema_check)}
            if strategy == "server":
                query["dryRun"] = "All"
            patch = {"spec": {"taints": taints or None}} if taints != old else {}
            request = ApiRequest("patch", NODES, "", node.name, "", query, patch, STRATEGIC_MERGE_PATCH)
            changed = (await (await self.session.client()).call(request)).object
        results.print(NODES, changed, operation)

    def _reorganized(self, name: str, old: Sequence[Object]) -> tuple[list[Object], str]:
        """The taints as they are to be, and the word for what that does."""
        if not self.overwrite:
            known = [spec.key for spec in self.added if any(spec.matches(taint) for taint in old)]
            if known:
                raise CommandError(f"node {name} already has {','.join(known)} taint(s) with same effect(s) and --overwrite is false")
        taints = [spec.taint() for spec in self.added]
        taints += [taint for taint in old if not any(spec.matches(taint) for spec in self.added)]
        grown, deleted = len(taints) != len(old), False
        errors: list[Exception] = []
        for spec in self.removed:
            left = [taint for taint in taints if not spec.matches(taint)]
            deleted = len(left) != len(taints)
            if not deleted:
                errors.append(CommandError(f'taint "{spec}" not found'))
            taints = left
        raise_all(errors)
        if (grown and deleted) or self.overwrite:
            return taints, "modified"
        return taints, "tainted" if grown else "untainted"
