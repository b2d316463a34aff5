"""kctl auth can-i: whether whoever asks may do something."""

from __future__ import annotations

from kctl.apimachinery.resources import built_in
from kctl.cli import options
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, Exit
from kctl.cli.flags import flag
from kctl.client.discovery import NoResource

_VERBS = frozenset(
    [
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "use",
        "bind",
        "impersonate",
        "*",
        "approve",
        "sign",
        "escalate",
        "attest",
    ]
)
_URL_VERBS = frozenset(["get", "put", "post", "head", "options", "delete", "patch", "*"])
_NO_RESOURCES = frozenset(["users", "groups"])
"""What one may be permitted to impersonate, though nothing of the kind is served."""


class AuthCanI(Command):
    """Check whether an action is allowed.

    VERB is a verb of the API, such as get, list, watch or delete. TYPE is a resource, with its group where that is needed; a name
    after a slash asks about one object. A path that begins with a slash is a URL that is no resource. The exit code is 1 for no.
    """

    name = "can-i"
    blocking = True
    usage = "VERB [TYPE | TYPE/NAME | NONRESOURCEURL]"
    examples = """
  # May I create pods in the current namespace?
  kctl auth can-i create pods

  # May I list deployments in every namespace?
  kctl auth can-i list deployments.apps --all-namespaces

  # May the service account read the logs of pods?
  kctl auth can-i get pods --subresource=log --as=system:serviceaccount:default:robot

  # May I read a path that is no resource?
  kctl auth can-i get /logs/
"""

    all_namespaces: bool = options.all_namespaces()
    list_only: bool = flag("--list", kind="bool", help="If true, prints all allowed actions.")
    no_headers: bool = flag("--no-headers", kind="bool", help="If true, prints allowed actions without headers")
    quiet: bool = flag("-q", "--quiet", kind="bool", help="If true, suppress output and just return the exit code.")
    subresource: str = flag("--subresource", help="SubResource such as pod/log or deployment/scale")

    def validate(self) -> None:
        if self.list_only:
            if self.arguments:
                raise CommandError("list option must be specified with no arguments")
            if self.quiet or self.all_namespaces or self.subresource:
                raise CommandError("list option can't be specified with neither quiet, all-namespaces nor subresource options")
            return
        if len(self.arguments) != 2:
            raise CommandError(
                "you must specify two arguments: verb resource or verb resource/resourceName.\n"
                f"See '{self.session.program} -h' for help and examples."
            )
        if self.arguments[1].startswith("/") and self.subresource:
            raise CommandError("--subresource can not be used with NonResourceURL")

    async def run(self) -> None:
        if self.list_only:
            await self._list()
            return
        verb, what = self.arguments
        if what.startswith("/"):
            spec: dict[str, object] = {"nonResourceAttributes": {"path": what, "verb": verb}}
        else:
            spec = {"resourceAttributes": await self._attributes(verb, what)}
        if verb not in (_URL_VERBS if what.startswith("/") else _VERBS) and (what.startswith("/") or not self.all_namespaces):
            self._warn(f"verb '{verb}' is not a known verb")
        if self.no_headers:
            raise CommandError("--no-headers cannot be set without --list specified")
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "metadata": {}, "spec": spec}
        resource = built_in("authorization.k8s.io/v1", "SelfSubjectAccessReview")
        status = (await (await self.session.client()).create(resource, review)).get("status") or {}
        allowed = bool(status.get("allowed"))
        words = ["yes"] if allowed else ["no", *(status[field] for field in ("reason", "evaluationError") if status.get(field))]
        if not self.quiet:
            self.session.print(" - ".join(words))
        if not allowed:
            raise Exit(1)

    async def _list(self) -> None:
        """Every single permission in the namespace, the verbs of equal ones together."""
        from kctl.cli.describe.rbac import compact
        from kctl.printers.table import TableWriter

        spec = {"namespace": self.session.namespace}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "metadata": {}, "spec": spec}
        resource = built_in("authorization.k8s.io/v1", "SelfSubjectRulesReview")
        status = (await (await self.session.client()).create(resource, review)).get("status") or {}
        if status.get("incomplete"):
            self.session.error(f"warning: the list may be incomplete: {status.get('evaluationError', '')}\n")
        rows = [] if self.no_headers else [["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]]
        for what, url, name, verbs in compact([*(status.get("resourceRules") or ()), *(status.get("nonResourceRules") or ())]):
            rows.append([what, f"[{url}]", f"[{name}]", f"[{' '.join(verbs)}]"])
        self.session.write(TableWriter().format(rows))

    async def _attributes(self, verb: str, what: str) -> dict[str, str]:
        name, _, object_name = what.partition("/")
        group, plural, version = "", name, ""
        if name != "*":
            try:
                resource = await (await self.session.mapper()).resource(name)
                group, plural, version = resource.group, resource.plural, resource.version
                if not resource.namespaced and not self.all_namespaces:
                    where = f" in group '{group}'" if group else ""
                    self._warn(f"resource '{plural}' is not namespace scoped{where}")
            except NoResource:
                plural, _, group = name.partition(".")
                where = f" in group '{group}'" if group else ""
                if name not in _NO_RESOURCES:
                    self._warn(f"the server doesn't have a resource type '{plural}'{where}")
        attributes = {
            "namespace": "" if self.all_namespaces else self.session.namespace,
            "verb": verb,
            "group": group,
            "version": version,
            "resource": plural,
            "subresource": self.subresource,
            "name": object_name,
        }
        return {key: value for key, value in attributes.items() if value}

    def _warn(self, text: str) -> None:
        self.session.error(f"Warning: {text}\n")
