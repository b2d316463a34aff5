"""kctl certificate: the decision about a certificate signing request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import ApiError, Conflict
from kctl.cli import options
from kctl.cli.builder import Builder, Selection
from kctl.cli.command import Command, Group
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.lazy import Lazy
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.client.client import Client

_REQUESTS = built_in("certificates.k8s.io/v1", "CertificateSigningRequest")
_TRIES = 10


class Certificate(Group):
    """Modify certificate resources."""

    name = "certificate"
    usage = "SUBCOMMAND"
    help_on_stdout = True
    members = {
        "approve": Lazy(__name__, "Approve", "Approve a certificate signing request"),
        "deny": Lazy(__name__, "Deny", "Deny a certificate signing request"),
    }

    def run(self) -> Any:
        """kubectl shows its help and is content."""
        self.session.write(self.help(self.session.program))


class Decision(ObjectOutput, Manifests, Command):
    """What approve and deny share."""

    blocking = True
    usage = "(-f FILENAME | NAME)"
    condition: ClassVar[str]
    opposite: ClassVar[str]
    done: ClassVar[str]

    filename: Sequence[str] = options.filename("Filename, directory, or URL to files identifying the resource to update")
    force: bool = flag("--force", kind="bool", help="Update the CSR even if it is already approved.")

    def validate(self) -> None:
        if not self.arguments and not self.filename and not self.kustomize:
            raise CommandError("one or more CSRs must be specified as <name> or -f <filename>")

    async def run(self) -> None:
        results = Results.of(self, in_field_order=True)
        results.check()
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, validate=False)
        client = await self.session.client()
        for selection in await self._selections(builder):
            try:
                results.print(selection.resource, await self._decide(client, selection), self.done)
            except (ApiError, CommandError) as error:
                builder.errors.append(error)
        builder.finish()

    async def _selections(self, builder: Builder) -> list[Selection]:
        if builder.has_files:
            selections = [Selection(info.resource, info.namespace, info.name) for info in await builder.objects()]
        elif any("/" in argument for argument in self.arguments):
            selections = await builder.selections(self.arguments)
            if any(selection.resource.namespaced for selection in selections):
                raise CommandError("namespace may not be empty when retrieving a resource by name")
        else:
            selections = [Selection(_REQUESTS, "", name) for name in dict.fromkeys(self.arguments)]
        return selections

    async def _decide(self, client: Client, selection: Selection) -> Object:
        """The request as it was before the decision, which is what kubectl shows. Tries again where somebody else writes meanwhile."""
        resource = selection.resource
        for left in reversed(range(_TRIES)):
            request = await client.get(resource, selection.name, selection.namespace)
            if resource.kind != _REQUESTS.kind:
                wanted, got = (f"{each.kind}{'.' if each.group else ''}{each.group}" for each in (_REQUESTS, resource))
                raise CommandError(f"can only handle {wanted} objects, got {got}")
            changed = self._decided(request)
            if changed is None:
                break
            try:
                await client.update(resource, changed, subresource="approval")
                break
            except Conflict:
                if not left:
                    raise
        return request

    def _decided(self, request: Object) -> Object | None:
        """With the decision as its condition; None where that has been taken already and is not asked for again."""
        conditions = objects.status(request).get("conditions") or []
        if any(each.get("type") == self.opposite for each in conditions):
            raise CommandError(f'certificate signing request "{objects.name(request)}" is already {self.opposite}')
        if any(each.get("type") == self.condition for each in conditions):
            return request if self.force else None
        made = {
            "type": self.condition,
            "status": "True",
            "reason": f"Kubectl{self.name.capitalize()}",
            "message": f"This CSR was {self.done} by kubectl certificate {self.name}.",
            "lastUpdateTime": times.rfc3339(self.session.now()),
        }
        return {**request, "status": {**objects.status(request), "conditions": [*conditions, made]}}


class Approve(Decision):
    """Approve a certificate signing request: the signer may issue the certificate, and with it whoever holds the key is who it says."""

    name = "approve"
    examples = "  # Approve CSR 'csr-sqgzp'\n  kctl certificate approve csr-sqgzp\n"
    condition, opposite, done = "Approved", "Denied", "approved"


class Deny(Decision):
    """Deny a certificate signing request: no certificate is issued."""

    name = "deny"
    examples = "  # Deny CSR 'csr-sqgzp'\n  kctl certificate deny csr-sqgzp\n"
    condition, opposite, done = "Denied", "Approved", "denied"
