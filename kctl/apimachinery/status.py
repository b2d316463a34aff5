"""API errors: one exception tree, each member a v1 Status with Kubernetes' code, reason and wording.

    ApiError                     any Status with status: Failure
     +-- BadRequest        400   +-- Unauthorized  401   +-- Forbidden         403   +-- NotFound    404
     +-- MethodNotSupported 405  +-- NotAcceptable 406   +-- AlreadyExists     409   +-- Conflict    409
     +-- Gone / Expired    410   +-- UnsupportedMediaType 415                        +-- Invalid     422
     +-- TooManyRequests   429   +-- InternalError 500   +-- ServiceUnavailable 503  +-- Timeout     504

`from_status` turns a server's answer back into the same tree. Wording follows
k8s.io/apimachinery/pkg/api/errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kctl.apimachinery.field_errors import FieldError, aggregate, shown

StatusObject = dict[str, Any]


class ApiError(Exception):
    """A failed API request. `status` is the v1 Status object, `code` the HTTP status."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        code: int | None = None,
        reason: str | None = None,
        headers: dict[str, str] | None = None,
        status: StatusObject | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        if status is None:
            status = {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": message,
                "reason": self.reason if reason is None else reason,
            }
            if not status["reason"]:
                del status["reason"]
            if details:
                status["details"] = details
            status["code"] = self.code if code is None else code
        self.status = status

    @property
    def http_status(self) -> int:
        return int(self.status.get("code") or self.code)

    @property
    def details(self) -> dict[str, Any]:
        return self.status.get("details") or {}


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"

    def __init__(self, message: str = "Unauthorized", **more: Any) -> None:
        super().__init__(message, **more)


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    code, reason = 404, "NotFound"


class MethodNotSupported(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    code, reason = 406, "NotAcceptable"


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"


class Conflict(ApiError):
    code, reason = 409, "Conflict"


class Gone(ApiError):
    code, reason = 410, "Gone"


class Expired(ApiError):
    code, reason = 410, "Expired"


class RequestEntityTooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    code, reason = 422, "Invalid"


class TooManyRequests(ApiError):
    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    code, reason = 500, "InternalError"


class ServiceUnavailable(ApiError):
    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    code, reason = 504, "Timeout"


_CLASSES: tuple[type[ApiError], ...] = (
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotSupported,
    NotAcceptable,
    AlreadyExists,
    Conflict,
    Gone,
    Expired,
    RequestEntityTooLarge,
    UnsupportedMediaType,
    Invalid,
    TooManyRequests,
    InternalError,
    ServiceUnavailable,
    Timeout,
)
_BY_REASON = {cls.reason: cls for cls in _CLASSES}
_BY_CODE = {cls.code: cls for cls in reversed(_CLASSES)}


def from_status(status: StatusObject, http_status: int = 0) -> ApiError:
    """The exception for a Status object a server sent."""
    code = int(status.get("code") or http_status or 500)
    cls = _BY_REASON.get(status.get("reason") or "") or _BY_CODE.get(code) or ApiError
    error = cls.__new__(cls)
    ApiError.__init__(error, str(status.get("message") or ""), status={**status, "code": code})
    return error


def _details(name: str, group: str, kind: str, **more: Any) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details.update(more)
    return details


def _qualified(group: str, what: str) -> str:
    return f"{what}.{group}" if group else what


def not_found(group: str, resource: str, name: str) -> NotFound:
    """`resource` is the plural, e.g. deployments."""
    return NotFound(f'{_qualified(group, resource)} "{name}" not found', details=_details(name, group, resource))


def already_exists(group: str, resource: str, name: str) -> AlreadyExists:
    return AlreadyExists(f'{_qualified(group, resource)} "{name}" already exists', details=_details(name, group, resource))


def conflict(group: str, resource: str, name: str, why: str) -> Conflict:
    message = f'Operation cannot be fulfilled on {_qualified(group, resource)} "{name}": {why}'
    return Conflict(message, details=_details(name, group, resource))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> Invalid:
    """`kind` is the Kind, e.g. Deployment."""
    message = f'{_qualified(group, kind)} "{name}" is invalid'
    if errors:
        message += f": {aggregate(errors)}"
    causes = [error.cause() for error in shown(errors)]
    return Invalid(message, details=_details(name, group, kind, **({"causes": causes} if causes else {})))


def forbidden(group: str, resource: str, name: str, why: str) -> Forbidden:
    subject = f'{_qualified(group, resource)} "{name}" is forbidden' if name else f"{_qualified(group, resource)} is forbidden"
    return Forbidden(f"{subject}: {why}", details=_details(name, group, resource))


def bad_request(message: str) -> BadRequest:
    return BadRequest(message)
