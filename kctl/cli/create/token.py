"""kctl create token: a ServiceAccount token from the TokenRequest API."""

from __future__ import annotations

import click

from kctl.apimachinery.resources import SERVICE_ACCOUNTS
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.command import KubectlCommand
from kctl.cli.create.generator import exactly_one_name
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.results import Results
from kctl.cli.session import Session

_BOUND = {"Pod": "v1", "Secret": "v1", "Node": "v1"}


@click.command(
    "token",
    cls=KubectlCommand,
    blocking=True,
    short_help="Request a service account token",
    usage="SERVICE_ACCOUNT_NAME",
)
@options.output()
@flag(
    "--audience",
    kind="array",
    help="Audience of the requested token. If unset, defaults to requesting a token for use with the Kubernetes API server. May be repeated to request a token valid for multiple audiences.",
)
@flag(
    "--duration",
    kind="duration",
    help="Requested lifetime of the issued token. If not set or if set to 0, the lifetime will be determined by the server automatically. The server may return a token with a longer or shorter lifetime.",
)
@flag(
    "--bound-object-kind",
    help="Kind of an object to bind the token to. Supported kinds are Pod, Secret, Node. If set, --bound-object-name must be provided.",
)
@flag(
    "--bound-object-name",
    help="Name of an object to bind the token to. The token will expire when the object is deleted. Requires --bound-object-kind.",
)
@flag(
    "--bound-object-uid",
    help="UID of an object to bind the token to. Requires --bound-object-kind and --bound-object-name. If unset, the UID of the existing object is used.",
)
async def command(
    session: Session,
    arguments: tuple[str, ...],
    output: str,
    template: str,
    show_managed_fields: bool,
    allow_missing_template_keys: bool,
    audience: tuple[str, ...],
    duration: float,
    bound_object_kind: str,
    bound_object_name: str,
    bound_object_uid: str,
) -> None:
    """Request a service account token."""
    name = exactly_one_name(session, arguments)
    if duration < 0:
        raise CommandError("--duration must be greater than or equal to 0")
    if duration and duration % 1:
        raise CommandError("--duration cannot be expressed in units less than seconds")
    spec: dict[str, object] = {"audiences": list(audience) or None, "expirationSeconds": int(duration) or None}
    if bound_object_kind:
        if bound_object_kind not in _BOUND:
            raise CommandError(f"supported --bound-object-kind values are {', '.join(sorted(_BOUND))}")
        if not bound_object_name:
            raise CommandError("--bound-object-name is required if --bound-object-kind is provided")
        spec["boundObjectRef"] = {
            "kind": bound_object_kind,
            "apiVersion": _BOUND[bound_object_kind],
            "name": bound_object_name,
            **({"uid": bound_object_uid} if bound_object_uid else {}),
        }
    elif bound_object_name or bound_object_uid:
        which = "name" if bound_object_name else "uid"
        raise CommandError(f"--bound-object-{which} cannot be set without --bound-object-kind")
    request = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": spec}
    client = await session.client()
    try:
        found = await client.create_subresource(SERVICE_ACCOUNTS, name, session.namespace, "token", request)
    except ApiError as error:
        raise CommandError(f"failed to create token: {error.message}") from None
    results = Results(session, output, template, show_managed_fields, allow_missing_template_keys, in_field_order=True)
    if results.prints_objects:
        results.print_object(found)
    else:
        session.print((found.get("status") or {}).get("token", ""))
