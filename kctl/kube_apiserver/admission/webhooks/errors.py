"""What goes wrong with a webhook, in upstream's words.

CallFailed                 it could not be asked, or did not answer as it must: its failurePolicy decides
ApiError (rejection())     it said no
ApiError                   what it changed cannot be used
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.apimachinery.status import ApiError, BadRequest


class CallFailed(Exception):
    """`code` is what metrics tell of it."""

    def __init__(self, webhook: str, reason: str, code: int = 503) -> None:
        super().__init__(f'failed calling webhook "{webhook}": {reason}')
        self.code = code


def internal(why: object) -> ApiError:
    """apierrors.NewInternalError"""
    error = ApiError(f"Internal error occurred: {why}", code=500, reason="InternalError")
    error.status["details"] = {"causes": [{"message": str(why)}]}
    return error


def rejection(webhook: str, result: Mapping[str, Any] | None) -> ApiError:
    """The Status a webhook refuses with, as the client gets it: always a failure, and it says who refused."""
    given = dict(result or {})
    denied = f'admission webhook "{webhook}" denied the request'
    message, reason = given.get("message"), given.get("reason")
    if message or reason:
        text = f"{denied}: {message or reason}"
    else:
        text = f"{denied} without explanation"
    code = given.get("code")
    code = code if isinstance(code, int) and code >= 400 else 400
    error = ApiError(text, code=code, reason=str(reason or ""))
    if not reason:
        error.status.pop("reason", None)
    if given.get("details"):
        error.status["details"] = given["details"]
    return error


def no_dry_run(webhook: str) -> ApiError:
    return BadRequest(f'admission webhook "{webhook}" does not support dry run')
