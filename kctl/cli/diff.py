"""kctl diff: what an apply would change, shown by `diff` or whatever $KUBECTL_EXTERNAL_DIFF names."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, Conflict, NotFound
from kctl.cli import options
from kctl.cli.apply.prune import leftovers
from kctl.cli.builder import Builder, Info
from kctl.cli.command import Command
from kctl.cli.errors import AggregateError, CommandError, Exit, UsageError, report
from kctl.cli.flags import flag
from kctl.cli.options import Manifests
from kctl.client.errors import ConnectionFailed
from kctl.client.transport import APPLY_PATCH, ApiRequest
from kctl.printers.output import printer_for

_PROGRAM_VARIABLE = "KUBECTL_EXTERNAL_DIFF"
_WORD = re.compile(r"[a-zA-Z0-9-=]+")
_TRIES = 5
_TROUBLE = 2
"""The exit code of everything that goes wrong: 1 says that there are differences."""


class Diff(Manifests, Command):
    """Show the difference between what stands in the cluster and what it would be if the files were applied.

    The output is always YAML. The environment variable KUBECTL_EXTERNAL_DIFF names another program than `diff -u -N`, with its flags:
    KUBECTL_EXTERNAL_DIFF="colordiff -N -u".

    Exit code: 0 if nothing differs, 1 if something does, more than 1 if kctl or the program failed.
    """

    name = "diff"
    usage = "-f FILENAME"
    without_effect = frozenset({"concurrency"})
    examples = """
  # What would applying pod.json change?
  kctl diff -f pod.json

  # The same for standard input
  cat service.yaml | kctl diff -f -
"""

    concurrency: int = flag(
        "--concurrency",
        kind="int",
        default=1,
        help="Number of objects to process in parallel when diffing against the live version. Objects are taken one after the other here, whatever the number.",
    )
    field_manager: str = options.field_manager("kubectl-client-side-apply")
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files contains the configuration to diff")
    force_conflicts: bool = flag(
        "--force-conflicts", kind="bool", help="If true, server-side apply will force the changes against conflicts."
    )
    prune: bool = flag(
        "--prune",
        kind="bool",
        help="Include resources that would be deleted by pruning. Can be used with -l and default shows all resources would be pruned",
    )
    prune_allowlist: Sequence[str] = flag(
        "--prune-allowlist", kind="slice", help="Overwrite the default allowlist with <group/version/kind> for --prune"
    )
    selector: str = options.selector()
    server_side: bool = flag("--server-side", kind="bool", help="If true, apply runs in the server instead of the client.")
    show_managed_fields: bool = flag("--show-managed-fields", kind="bool", help="If true, include managed fields in the diff.")
    show_secrets: bool = flag("--show-secrets", kind="bool", help="If true, do not mask secret values in the diff.")

    def complete(self) -> None:
        if self.arguments:
            self._fail(UsageError(f"Unexpected args: [{' '.join(self.arguments)}]"))
        if not self.filename and not self.kustomize:
            self._fail(CommandError("must specify one of -f and -k"))
        if self.force_conflicts and not self.server_side:
            self._fail(CommandError("--force-conflicts only works with --server-side"))
        if self.server_side and not self.changed("field_manager"):
            self.field_manager = "kubectl"

    def _fail(self, error: Exception) -> None:
        report(error, self.session.program, self.session.streams.err.write)
        raise Exit(_TROUBLE)

    async def run(self) -> None:
        live, merged = (Path(tempfile.mkdtemp(prefix=prefix)) for prefix in ("LIVE-", "MERGED-"))
        try:
            await self._write(live, merged)
            code = self._compare(live, merged)
        except (AggregateError, ApiError, CommandError, ConnectionFailed) as error:
            self._fail(error)
        finally:
            for folder in (live, merged):
                shutil.rmtree(folder, ignore_errors=True)
        if code:
            raise Exit(code)

    async def _write(self, live: Path, merged: Path) -> None:
        """Each object as it stands and as it would be, in two folders."""
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, self.selector, validate=False)
        infos = await builder.objects()
        for info in infos:
            before, after = await self._both(info)
            nothing = ""
            if not self.show_secrets and info.resource.group_resource == "secrets":
                before, after = masked(before, after)
                nothing = "null\n"  # as kubectl, which hides the secrets of what is not there too
            name = _file_name(after, info.namespace)
            for folder, obj in ((live, before), (merged, after)):
                (folder / name).write_text(self._text(obj) if obj else nothing)
        builder.finish()
        if self.prune:
            async for resource, item in leftovers(self.session, infos, self.prune_allowlist, self.selector):
                obj = {"apiVersion": resource.api_version, "kind": resource.kind, **item}
                if not self.show_secrets and resource.group_resource == "secrets":
                    obj, _ = masked(obj, {})
                (live / _file_name(obj, "")).write_text(self._text(obj))

    def _text(self, obj: Object) -> str:
        return printer_for("yaml", show_managed_fields=self.show_managed_fields)(obj)

    async def _both(self, info: Info) -> tuple[Object, Object]:
        """Empty where there is no such object yet."""
        for left in reversed(range(_TRIES)):
            client = await self.session.client()
            live: Object = {}
            with contextlib.suppress(NotFound):
                live = await client.get(info.resource, info.name, info.namespace)
            try:
                return live, await self._merged(info, live)
            except Conflict as error:
                if not left or self.server_side:
                    raise self._conflict(error) from None
        raise AssertionError

    def _conflict(self, error: Conflict) -> Exception:
        if not self.server_side:
            return error
        from kctl.cli.apply.errors import conflict_text

        return CommandError(conflict_text(error))

    async def _merged(self, info: Info, live: Object) -> Object:
        """As an apply would make it: the answer of a dry run."""
        client = await self.session.client()
        query = {"fieldManager": self.field_manager, "dryRun": "All"}
        if self.server_side:
            query["force"] = "true" if self.force_conflicts else "false"
            request = ApiRequest("patch", info.resource, info.namespace, info.name, "", query, info.object, APPLY_PATCH)
        elif not live:
            return await client.create(info.resource, info.object, info.namespace, dry_run=True, field_manager=self.field_manager)
        else:
            from kctl.cli.apply import three_way

            patch = three_way.make_patch(info, _with_annotations(info.object), live)
            if patch.empty:
                return live
            request = ApiRequest("patch", info.resource, info.namespace, info.name, "", query, patch.document, patch.content_type)
        return (await client.call(request)).object

    def _compare(self, live: Path, merged: Path) -> int:
        """The exit code, 0 or 1. Raises CommandError where the program cannot tell."""
        import subprocess

        words = os.environ.get(_PROGRAM_VARIABLE, "").split(" ")
        program, given = words[0], [word for word in words[1:] if _WORD.fullmatch(word)]
        folders = [str(live), str(merged)]
        command = [program, *folders, *given] if program else ["diff", "-u", "-N", *folders]
        try:
            done = subprocess.run(command, capture_output=True, check=False)
        except OSError:
            raise CommandError(f'failed to run "{command[0]}": executable file not found in $PATH') from None
        self.session.write(done.stdout.decode(errors="replace"))
        self.session.streams.err.write(done.stderr.decode(errors="replace"))
        if done.returncode > 1:
            raise CommandError(f'failed to run "{command[0]}": exit status {done.returncode}')
        return done.returncode


def _with_annotations(obj: Object) -> Object:
    """An apply records itself in an annotation; without that one the manifest still has annotations, if only none."""
    meta = obj.get("metadata") or {}
    return {**obj, "metadata": {**meta, "annotations": meta.get("annotations") or {}}}


def _file_name(obj: Object, namespace: str) -> str:
    """apps.v1.Deployment.default.web"""
    meta: dict[str, Any] = obj.get("metadata") or {}
    group_version = str(obj.get("apiVersion") or "").replace("/", ".")
    return f"{group_version}.{obj.get('kind')}.{meta.get('namespace') or namespace}.{meta.get('name')}"


def masked(before: Object, after: Object) -> tuple[Object, Object]:
    """Secrets without what is secret: only whether a value differs is shown."""
    old, new = before.get("data") or {}, after.get("data") or {}

    def hidden(data: dict[str, Any], other: dict[str, Any], which: str) -> dict[str, str]:
        return {key: "***" if key not in other or other[key] == value else f"*** ({which})" for key, value in data.items()}

    shown = {**before, "data": hidden(old, new, "before")} if old else before
    return shown, {**after, "data": hidden(new, old, "after")} if new else after
