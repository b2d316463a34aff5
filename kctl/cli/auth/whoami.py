"""kctl auth whoami: how the server knows who asks."""

from __future__ import annotations

from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import Forbidden, NotFound
from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.options import ObjectOutput
from kctl.cli.results import Results

_NOT_ENABLED = "the selfsubjectreviews API is not enabled in the cluster"
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}


class AuthWhoami(ObjectOutput, Command):
    """Show the user name, groups and other attributes the server has for whoever asks."""

    name = "whoami"
    blocking = True
    examples = "  # Show who the server takes you for\n  kctl auth whoami\n"

    async def run(self) -> None:
        results = Results.of(self, in_field_order=True)
        results.check()
        resource = built_in("authentication.k8s.io/v1", "SelfSubjectReview")
        try:
            review = await (await self.session.client()).create(resource, _REVIEW)
        except Forbidden:
            raise CommandError(f"{_NOT_ENABLED} or you do not have permission to call it") from None
        except NotFound:
            raise CommandError(_NOT_ENABLED) from None
        if self.output == "name":
            self.session.print("selfsubjectreview.authentication.k8s.io/<unknown>")  # a review has no name
        elif results.prints_objects:
            results.print_object(review)
        else:
            self._table((review.get("status") or {}).get("userInfo") or {})

    def _table(self, user: dict[str, object]) -> None:
        from kctl.printers.table import TableWriter

        rows = [["ATTRIBUTE", "VALUE"]]
        for title, field in (("Username", "username"), ("UID", "uid"), ("Groups", "groups")):
            value = user.get(field)
            if value:
                rows.append([title, f"[{' '.join(value)}]" if isinstance(value, list) else str(value)])
        extra = user.get("extra")
        if isinstance(extra, dict):
            rows += [[f"Extra: {key}", f"[{' '.join(extra[key])}]"] for key in sorted(extra)]
        self.session.write(TableWriter().format(rows))
