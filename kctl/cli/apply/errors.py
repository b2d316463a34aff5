"""What apply's commands say of an object that could not be written."""

from __future__ import annotations

from kctl.apimachinery.status import Conflict
from kctl.cli.builder import Info
from kctl.cli.errors import plain


def describe(info: Info) -> str:
    """How kubectl names an object in apply's errors (resource.Info.String)."""
    resource = info.resource
    group_version = f"{resource.group}/{resource.version}"
    return (
        f'Resource: "{group_version}, Resource={resource.plural}", GroupVersionKind: "{group_version}, Kind={resource.kind}"\n'
        f'Name: "{info.name}", Namespace: "{info.namespace}"'
    )


def conflict_text(error: Conflict) -> str:
    return (
        f"{plain(error)}\nPlease review the fields above--they currently have other managers. Here\n"
        "are the ways you can resolve this warning:\n"
        "* If you intend to manage all of these fields, please re-run the apply\n  command with the `--force-conflicts` flag.\n"
        "* If you do not intend to manage all of the fields, please edit your\n  manifest to remove references to the fields that should keep their\n  current managers.\n"
        "* You may co-own fields by updating your manifest to match the existing\n  value; in this case, you'll become the manager if the other manager(s)\n  stop managing the field (remove it from their configuration).\n"
        "See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts"
    )
