"""kctl tree: what an object belongs to and what belongs to it, with how each fares."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.cli.builder import Builder, Selection, qualified_name
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.terminal import coloured
from kctl.cli.tree.health import health_of
from kctl.cli.tree.relations import MAX_OBJECTS, Member, Relations, listable, relations_in, whole


class Tree(Command):
    """Show an object with its owners and all that it owns, and how each fares.

    Owners are those of metadata.ownerReferences: of a deployment the tree shows replica sets, pods and whatever custom kinds hang on them.
    """

    name = "tree"
    usage = "(TYPE NAME | TYPE/NAME) [flags]"
    examples = """
  # A deployment with its replica sets and pods
  kctl tree deployment/web

  # A pod and what it belongs to
  kctl tree pod web-7957885594-4xkq9

  # Only what is not as it should be
  kctl tree deployment/web --unhealthy
"""
    blocking = True
    unhealthy: bool = flag("--unhealthy", kind="bool", help="Leave out branches in which everything is as it should be.")
    no_owners: bool = flag("--no-owners", kind="bool", help="Begin at the object itself.")

    def validate(self) -> None:
        if not self.arguments:
            raise UsageError("required resource not specified")

    async def run(self) -> None:
        selections = await Builder(self.session, validate=False).selections(self.arguments, allow_collection=False)
        for index, selection in enumerate(selections):
            self.session.write("\n" * bool(index))
            await self._show(selection)

    async def _show(self, selection: Selection) -> None:
        client = await self.session.client()
        root = await client.get(selection.resource, selection.name, selection.namespace)
        namespace = objects.namespace(root)
        types = await listable(self.session, namespaced_only=bool(namespace))
        relations = await relations_in(self.session, namespace, types)
        member = relations.members.get(objects.uid(root)) or Member(selection.resource, root)
        below = list(relations.below(member.uid))
        if len(below) > MAX_OBJECTS:
            raise CommandError(f"{qualified_name(selection.resource, selection.name)} owns more than {MAX_OBJECTS} objects")
        chain = [] if self.no_owners else relations.owners(member)
        found = await whole(self.session, [*chain, member, *below])
        _Printer(self, relations, found).print(chain, member)


class _Printer:
    def __init__(self, command: Tree, relations: Relations, found: dict[str, Object]) -> None:
        self._command = command
        self._relations = relations
        self._found = found
        self._shown: set[str] = set()

    def print(self, chain: list[Member], member: Member) -> None:
        lines = list(self._chain(chain, member))
        width = max(len(label) for label, _, _ in lines)
        now = self._command.session.now()
        for label, obj, _ in lines:
            self._command.session.print(f"{label.ljust(width)}  {self._state(obj, now)}".rstrip())

    def _chain(self, chain: list[Member], member: Member) -> Iterator[tuple[str, Object, str]]:
        """Owners stand above, each one step further in."""
        for depth, owner in enumerate([*chain, member]):
            indent = "   " * (depth - 1) + "└─ " if depth else ""
            yield indent + _name(owner), self._object(owner), owner.uid
        self._shown.add(member.uid)
        yield from self._below(member, "   " * len(chain))

    def _below(self, member: Member, indent: str) -> Iterator[tuple[str, Object, str]]:
        owned = [one for one in self._relations.owned(member.uid) if one.uid not in self._shown]
        if self._command.unhealthy:
            owned = [one for one in owned if self._is_unhealthy(one)]
        for index, one in enumerate(owned):
            last = index == len(owned) - 1
            self._shown.add(one.uid)
            yield f"{indent}{'└─ ' if last else '├─ '}{_name(one)}", self._object(one), one.uid
            yield from self._below(one, indent + ("   " if last else "│  "))

    def _is_unhealthy(self, member: Member) -> bool:
        every = [member, *self._relations.below(member.uid)]
        return any(health_of(self._object(one)).colour != "green" for one in every)

    def _object(self, member: Member) -> Object:
        return self._found.get(member.uid, member.object)

    def _state(self, obj: Object, now: datetime) -> str:
        health = health_of(obj)
        created = objects.metadata(obj).get("creationTimestamp")
        age = times.human_duration(now - times.parse(created)) if created else ""
        text = coloured(self._command.session.streams.out, health.text, health.colour) if health.text else ""
        return f"{age.ljust(6)}{text}"


def _name(member: Member) -> str:
    return qualified_name(member.resource, objects.name(member.object))
