"""How a command ended, as its error stream tells: a Status since version 4 of the protocol, before that the message alone."""

from __future__ import annotations

import orjson

from kctl.apimachinery.objects import Object
from kctl.client.kubelet import CannotRun

SUCCESS: Object = {"metadata": {}, "status": "Success"}


def exited(code: int) -> Object:
    """The kubelet's words."""
    if code == 0:
        return SUCCESS
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failed(message: str) -> Object:
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {message}",
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }


def cannot_run(error: CannotRun, doing: str) -> Object:
    """`doing`: `executing command in container`, `attaching to container`."""
    return failed(f"error {doing}: {error}")


def encoded(status: Object, version: int) -> bytes:
    """`version` of the remote command protocol. From the fifth on kube-apiserver, which translates, reports what the kubelet says as
    an error of its own."""
    if version >= 4:
        if version >= 5 and status.get("reason") == "InternalError":
            status = failed(status["message"])
        return orjson.dumps(status)
    return b"" if status["status"] == "Success" else str(status["message"]).encode()
