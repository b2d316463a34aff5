"""kctl auth reconcile: roles and bindings get what a file says they must have, and keep the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.rbac import covering
from kctl.apimachinery.rbac.names import GROUP
from kctl.apimachinery.rbac.reconciliation import Operation, Reconciled, reconcile_binding, reconcile_role
from kctl.apimachinery.resources import NAMESPACES
from kctl.apimachinery.status import AlreadyExists, Conflict, NotFound
from kctl.cli import options
from kctl.cli.builder import Builder, Info
from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results

_RULE = (
    ("Verbs", "verbs"),
    ("APIGroups", "apiGroups"),
    ("Resources", "resources"),
    ("ResourceNames", "resourceNames"),
    ("NonResourceURLs", "nonResourceURLs"),
)
_SUBJECT = (("Kind", "kind"), ("APIGroup", "apiGroup"), ("Name", "name"), ("Namespace", "namespace"))
_ATTEMPTS = 3
_PROTECTED = ", but object opted out (rbac.authorization.kubernetes.io/autoupdate: false)"


class AuthReconcile(ObjectOutput, Manifests, Command):
    """Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding objects.

    Missing objects are created, and the containing namespace is created for namespaced objects, if required. Existing roles get the
    permissions of the input objects that they lack, existing bindings the subjects; what they have besides is taken away only where
    --remove-extra-permissions or --remove-extra-subjects says so.
    """

    name = "reconcile"
    usage = "-f FILENAME"
    blocking = True
    examples = """
  # Reconcile RBAC resources from a file
  kctl auth reconcile -f my-rbac-rules.yaml
"""

    filename: Sequence[str] = options.filename("Filename, directory, or URL to files identifying the resource to reconcile.")
    remove_extra_permissions: bool = flag(
        "--remove-extra-permissions", kind="bool", help="If true, removes extra permissions added to roles"
    )
    remove_extra_subjects: bool = flag("--remove-extra-subjects", kind="bool", help="If true, removes extra subjects added to rolebindings")
    dry_run: str = options.dry_run()

    def validate(self) -> None:
        if not self.filename and not self.kustomize:
            raise CommandError("must specify one of -f and -k")
        if self.arguments:
            raise CommandError("no arguments are allowed")
        Results.of(self).check()

    async def run(self) -> None:
        strategy = self._strategy()
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive)
        for info in await builder.objects():
            if info.resource.group != GROUP:
                continue
            found = await self._reconcile(info, confirm=strategy == "none")
            Results.of(self, strategy).print(info.resource, found.object, "reconciled")
            self._tell(found)
        builder.finish([])

    def _strategy(self) -> options.DryRun:
        try:
            strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        except CommandError as error:
            raise CommandError(f"error accessing --dry-run flag for command {self.name}: {error}") from None
        if strategy == "server":
            raise CommandError(f"--dry-run=server for command {self.name} is not supported yet")
        return strategy

    async def _reconcile(self, info: Info, *, confirm: bool) -> Reconciled:
        for attempt in range(_ATTEMPTS):
            found = self._compute(await self._present(info), info.object)
            if not confirm or found.protected or found.operation is Operation.NONE:
                return found
            try:
                found.object = await self._write(info, found)
                return found
            except Conflict:
                if attempt + 1 == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def _present(self, info: Info) -> Object | None:
        try:
            return await (await self.session.client()).get(info.resource, info.name, info.namespace)
        except NotFound:
            return None

    def _compute(self, present: Object | None, wanted: Object) -> Reconciled:
        try:
            if wanted.get("kind") in ("Role", "ClusterRole"):
                return reconcile_role(present, wanted, remove_extra=self.remove_extra_permissions)
            return reconcile_binding(present, wanted, remove_extra=self.remove_extra_subjects)
        except covering.TooManyParts:
            raise CommandError("the rules are too many to be compared") from None

    async def _write(self, info: Info, found: Reconciled) -> Object:
        client = await self.session.client()
        if found.operation is Operation.UPDATE:
            return await client.update(info.resource, found.object)
        if found.operation is Operation.RECREATE:
            with contextlib.suppress(NotFound):
                await client.delete(info.resource, info.name, info.namespace)
        elif info.namespace:
            with contextlib.suppress(AlreadyExists):
                await client.create(NAMESPACES, {"metadata": {"name": info.namespace}})
        return await client.create(info.resource, found.object, info.namespace)

    def _tell(self, found: Reconciled) -> None:
        if found.operation is Operation.NONE:
            return
        self.session.error(f"\treconciliation required {found.operation.value}{_PROTECTED if found.protected else ''}")
        self._list("missing subjects added", found.missing_subjects, _subject)
        if self.remove_extra_subjects:
            self._list("extra subjects removed", found.extra_subjects, _subject)
        self._list("missing rules added", found.missing_rules, _rule)
        if self.remove_extra_permissions:
            self._list("extra rules removed", found.extra_rules, _rule)

    def _list(self, title: str, values: Iterable[dict[str, Any]], show: Callable[[dict[str, Any]], str]) -> None:
        shown = [show(value) for value in values]
        if shown:
            self.session.error("\n".join([f"\t{title}:", *(f"\t\t{text}" for text in shown)]))


def _rule(rule: dict[str, Any]) -> str:
    """As Go prints the structure."""
    return "{" + " ".join(f"{name}:[{' '.join(rule.get(field) or ())}]" for name, field in _RULE) + "}"


def _subject(subject: dict[str, Any]) -> str:
    return "{" + " ".join(f"{name}:{subject.get(field) or ''}" for name, field in _SUBJECT) + "}"
