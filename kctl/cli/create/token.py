"""kctl create token: a ServiceAccount token from the TokenRequest API."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery.resources import SERVICE_ACCOUNTS
from kctl.apimachinery.status import ApiError
from kctl.cli.command import Command
from kctl.cli.create.generator import exactly_one_name
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.options import ObjectOutput
from kctl.cli.results import Results

_BOUND = {"Pod": "v1", "Secret": "v1", "Node": "v1"}


class CreateToken(ObjectOutput, Command):
    """Request a service account token."""

    name = "token"
    usage = "SERVICE_ACCOUNT_NAME"
    blocking = True

    audience: Sequence[str] = flag(
        "--audience",
        kind="array",
        help="Audience of the requested token. If unset, defaults to requesting a token for use with the Kubernetes API server. May be repeated to request a token valid for multiple audiences.",
    )
    duration: float = flag(
        "--duration",
        kind="duration",
        help="Requested lifetime of the issued token. If not set or if set to 0, the lifetime will be determined by the server automatically. The server may return a token with a longer or shorter lifetime.",
    )
    bound_object_kind: str = flag(
        "--bound-object-kind",
        help="Kind of an object to bind the token to. Supported kinds are Pod, Secret, Node. If set, --bound-object-name must be provided.",
    )
    bound_object_name: str = flag(
        "--bound-object-name",
        help="Name of an object to bind the token to. The token will expire when the object is deleted. Requires --bound-object-kind.",
    )
    bound_object_uid: str = flag(
        "--bound-object-uid",
        help="UID of an object to bind the token to. Requires --bound-object-kind and --bound-object-name. If unset, the UID of the existing object is used.",
    )

    async def run(self) -> None:
        name = exactly_one_name(self.session, self.arguments)
        if self.duration < 0:
            raise CommandError("--duration must be greater than or equal to 0")
        if self.duration and self.duration % 1:
            raise CommandError("--duration cannot be expressed in units less than seconds")
        spec: dict[str, object] = {"audiences": list(self.audience) or None, "expirationSeconds": int(self.duration) or None}
        if self.bound_object_kind:
            if self.bound_object_kind not in _BOUND:
                raise CommandError(f"supported --bound-object-kind values are {', '.join(sorted(_BOUND))}")
            if not self.bound_object_name:
                raise CommandError("--bound-object-name is required if --bound-object-kind is provided")
            spec["boundObjectRef"] = {
                "kind": self.bound_object_kind,
                "apiVersion": _BOUND[self.bound_object_kind],
                "name": self.bound_object_name,
                **({"uid": self.bound_object_uid} if self.bound_object_uid else {}),
            }
        elif self.bound_object_name or self.bound_object_uid:
            which = "name" if self.bound_object_name else "uid"
            raise CommandError(f"--bound-object-{which} cannot be set without --bound-object-kind")
        request = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": spec}
        client = await self.session.client()
        try:
            answer = await client.create_subresource(SERVICE_ACCOUNTS, name, self.session.namespace, "token", request)
        except ApiError as error:
            raise CommandError(f"failed to create token: {error.message}") from None
        results = Results(
            self.session, self.output, self.template, self.show_managed_fields, self.allow_missing_template_keys, in_field_order=True
        )
        if results.prints_objects:
            results.print_object(answer)
        else:
            self.session.print((answer.get("status") or {}).get("token", ""))
