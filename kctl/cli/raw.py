"""--raw of get, create, replace and delete: one request to a path of the server, its body printed as it comes."""

from __future__ import annotations

from kctl.apimachinery.status import from_status
from kctl.cli.errors import CommandError
from kctl.cli.session import Session


async def raw_request(session: Session, method: str, path: str, body: bytes | None = None) -> None:
    if not path.startswith("/"):
        raise CommandError(f'--raw must be a valid URL path: parse "{path}": invalid URI for request')
    transport = (await session.client()).transport
    response = await transport.raw(method, path, body=body)
    if response.status >= 400:
        raise failure(response.status, response.body)
    session.streams.out.flush()
    buffer = getattr(session.streams.out, "buffer", None)
    if buffer is not None:
        buffer.write(response.body)
        buffer.flush()
    else:
        session.write(response.body.decode(errors="replace"))


def failure(status: int, body: bytes) -> Exception:
    """The Status of a failed raw request, or one made of its text."""
    import orjson

    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict) and answer.get("kind") == "Status":
        return from_status(answer, status)
    reasons = {404: "NotFound", 401: "Unauthorized", 403: "Forbidden", 405: "MethodNotAllowed", 500: "InternalError"}
    text = body.decode(errors="replace").strip()
    message = "the server could not find the requested resource" if status == 404 else text
    return from_status({"kind": "Status", "reason": reasons.get(status, ""), "message": message}, status)
