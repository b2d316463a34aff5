"""kctl wait: until objects have a condition, a value, or are created or deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, NotFound, from_status
from kctl.cli import options
from kctl.cli.builder import Builder, Selection, qualified_name
from kctl.cli.command import Command
from kctl.cli.errors import AggregateError, CommandError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.cli.targets import Target, fetch
from kctl.cli.terminal import Steps, ticking
from kctl.client.client import Client

_FOREVER_SECONDS = 7 * 24 * 3600.0
_LOOK_SECONDS = 0.25
"""How often what is not there yet is looked for."""
EXAMPLES = """
  # Wait for the pod "busybox1" to contain the status condition of type "Ready"
  kctl wait --for=condition=Ready pod/busybox1

  # Wait for the pod "busybox1" to contain the status phase to be "Running"
  kctl wait --for=jsonpath='{.status.phase}'=Running pod/busybox1

  # Wait for the pod "busybox1" to be created, and then to be ready
  kctl wait --for=create --for=condition=Ready pod/busybox1

  # Wait for the pod "busybox1" to be deleted, with a timeout of 60s
  kctl wait --for=delete pod/busybox1 --timeout=60s
"""


@dataclass(frozen=True, slots=True)
class Goal:
    """`met(object)`; None stands for an object that is not there."""

    met: Callable[[Object | None], bool]
    absent: bool = False
    create: bool = False


def parse_goal(text: str) -> Goal:
    """The value of --for."""
    lower = text.lower()
    if lower == "delete":
        return Goal(lambda obj: obj is None, absent=True)
    if lower == "create":
        return Goal(lambda obj: obj is not None, create=True)
    if lower.startswith("condition="):
        name, equals, value = text[len("condition=") :].partition("=")
        return Goal(_condition(name, value if equals else "true"))
    if lower.startswith("jsonpath="):
        return Goal(_json_path(text[len("jsonpath=") :]))
    raise CommandError(f'unrecognized condition: "{text}"')


def _condition(name: str, value: str) -> Callable[[Object | None], bool]:
    def met(obj: Object | None) -> bool:
        for condition in objects.status(obj).get("conditions") or () if obj else ():
            if str(condition.get("type", "")).lower() == name.lower():
                seen, current = condition.get("observedGeneration"), objects.generation(obj or {})
                seen = seen if seen is not None else objects.status(obj or {}).get("observedGeneration")
                if seen is not None and seen < current:
                    return False
                return str(condition.get("status", "")).lower() == value.lower()
        return False

    return met


def _json_path(text: str) -> Callable[[Object | None], bool]:
    from kctl.apimachinery import jsonpath

    path, equals, value = text.partition("}=") if "}=" in text else text.partition("=")
    if "}=" in text:
        path += "}"
    if not path:
        raise CommandError("jsonpath wait condition cannot be empty")
    if equals and not value:
        raise CommandError("jsonpath wait value cannot be empty")
    value = value.strip("'\"")
    expression = path if path.startswith("{") else "{" + (path if path.startswith(".") else "." + path) + "}"
    try:
        compiled = jsonpath.parse(expression)
    except jsonpath.JSONPathError as error:
        raise CommandError(str(error)) from None

    def met(obj: Object | None) -> bool:
        if obj is None:
            return False
        try:
            values = [value for group in compiled.find(obj) for value in group]
        except jsonpath.JSONPathError:
            return False
        if not equals:
            return bool(values)
        return len(values) == 1 and _text(values[0]) == value

    return met


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Wait(ObjectOutput, Manifests, Command):
    """Wait for a specific condition on one or many resources.

    The command takes several resources and waits until the condition is seen on every one of them.
    """

    name = "wait"
    usage = (
        "([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) "
        "[--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]]"
    )
    examples = EXAMPLES

    conditions: Sequence[str] = flag(
        "--for",
        kind="array",
        help="The condition to wait on: [create|delete|condition=condition-name[=condition-value]|jsonpath='{JSONPath expression}'=[JSONPath value]].",
    )
    timeout: float = flag(
        "--timeout",
        kind="duration",
        default=30.0,
        help="The length of time to wait before giving up.  Zero means check once and don't wait, negative means wait for a week.",
    )
    all: bool = flag("--all", kind="bool", help="Select all resources in the namespace of the specified resource types")
    local: bool = flag("--local", kind="bool", help="If true, annotation will NOT contact api-server but run locally.")
    recursive: bool = options.recursive(default=True)
    kustomize = ""
    all_namespaces: bool = options.all_namespaces()
    selector: str = options.selector()
    field_selector: str = options.field_selector()
    filename: Sequence[str] = options.filename("identifying the resource.")

    goals: list[Goal]

    def complete(self) -> None:
        if not self.conditions:
            raise CommandError("unrecognized condition: []")
        self.goals = [parse_goal(text) for text in self.conditions]

    def validate(self) -> None:
        if self.local:
            raise CommandError("--local is not supported: what a command waits for happens in the cluster")

    async def run(self) -> None:
        results = Results.of(self)
        results.check()
        builder = Builder(
            self.session,
            self.filename,
            "",
            self.recursive,
            self.selector,
            self.field_selector,
            self.all_namespaces,
            select_all=self.all,
            validate=False,
        )
        limit = _FOREVER_SECONDS if self.timeout < 0 else self.timeout
        selections = await _selections(builder, self.arguments)
        deadline = asyncio.get_running_loop().time() + limit
        if any(goal.create for goal in self.goals):
            with Steps(self.session, "Waiting", len(selections)) as steps:
                steps.at("for creation")
                await ticking(steps, _created(builder, selections, deadline))
        absent = any(goal.absent for goal in self.goals)
        targets = await _targets(builder, selections, absent=absent)
        if not targets and not absent and not builder.errors:
            raise CommandError("no matching resources found")
        for goal in self.goals:
            await self._reach(goal, targets, builder, results, deadline)
            builder.finish()

    async def _reach(self, goal: Goal, targets: Sequence[Selection], builder: Builder, results: Results, deadline: float) -> None:
        """One condition after the other, each for all objects."""
        client = await self.session.client()
        with Steps(self.session, "Waiting", len(targets)) as steps:
            for selection in targets:
                steps.at(f"{selection.resource.plural}/{selection.name}")
                try:
                    obj = await ticking(steps, _until(client, selection, goal, deadline, check_once=self.timeout == 0))
                except (ApiError, CommandError) as error:
                    builder.errors.append(error)
                    continue
                _report(self.session, results, selection, obj)
                steps.done()


def _report(session: Session, results: Results, selection: Selection, obj: Object | None) -> None:
    if not results.prints_objects:
        name = qualified_name(selection.resource, selection.name)
        session.print(name if results.output else f"{name} condition met")
    elif obj is not None:
        results.print_object(obj)


async def _selections(builder: Builder, arguments: tuple[str, ...]) -> list[Selection]:
    if builder.has_files and not arguments:
        return [Selection(info.resource, info.namespace, info.name) for info in await builder.objects()]
    return await builder.selections(arguments, allow_collection=False)


async def _created(builder: Builder, selections: list[Selection], deadline: float) -> None:
    """Until something is there. As in kubectl a single name is waited for, and several that are all missing are errors at once."""
    while True:
        missing: list[Exception] = []
        found = False
        for selection in selections:
            try:
                found = bool(await fetch(builder, selection)) or found
            except NotFound as error:
                missing.append(error)
        if len(missing) > 1:
            raise AggregateError(missing)
        if found and not missing:
            return
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise CommandError("timed out waiting for the condition")
        await asyncio.sleep(min(left, _LOOK_SECONDS))


async def _targets(builder: Builder, selections: list[Selection], *, absent: bool) -> list[Selection]:
    """What there is now; what is missing is an error, unless absence is a goal."""
    chosen: list[Selection] = []
    for selection in selections:
        try:
            listed: list[Target] = await fetch(builder, selection)
        except NotFound as error:
            if not absent:
                builder.errors.append(error)
            continue
        chosen += [Selection(obj.resource, obj.namespace, obj.name) for obj in listed]
    return chosen


async def _until(client: Client, selection: Selection, goal: Goal, deadline: float, *, check_once: bool) -> Object | None:
    """The object as it was when the goal was met."""
    name = f"{selection.resource.plural}/{selection.name}"
    remaining = deadline - asyncio.get_running_loop().time()
    try:
        if check_once:
            present = await _present(client, selection)
            if goal.met(present):
                return present
            raise CommandError(f"condition not met for {selection.resource.plural}/{selection.name}")
        return await asyncio.wait_for(_watch(client, selection, goal), max(remaining, 0.0))
    except TimeoutError:
        raise CommandError(f"timed out waiting for the condition on {name}") from None


async def _present(client: Client, selection: Selection) -> Object | None:
    try:
        return await client.get(selection.resource, selection.name, selection.namespace)
    except NotFound:
        return None


async def _watch(client: Client, selection: Selection, goal: Goal) -> Object | None:
    only = f"metadata.name={selection.name}"
    while True:
        listed = await client.list(selection.resource, selection.namespace, field_selector=only)
        items = listed.get("items") or []
        present = items[0] if items else None
        if goal.met(present):
            return present
        if present is None and not goal.create and not goal.absent:
            raise NotFound(f'{selection.resource.group_resource} "{selection.name}" not found')
        version = str((listed.get("metadata") or {}).get("resourceVersion") or "")
        events = await client.watch(selection.resource, selection.namespace, field_selector=only, resource_version=version)
        async for batch in events:
            for event in batch:
                if event.type == "ERROR":
                    raise from_status(event.object)
                if event.type == "BOOKMARK":
                    continue
                obj = None if event.type == "DELETED" else event.object
                if goal.met(obj):
                    return obj
                if obj is None and not goal.create:
                    raise NotFound(f'{selection.resource.group_resource} "{selection.name}" not found')
