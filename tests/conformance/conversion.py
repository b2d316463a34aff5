"""The conversion webhook of the official suite: v1 has `hostPort`, v2 `host` and `port`."""

from __future__ import annotations

from typing import Any

V1 = {"type": "object", "properties": {"hostPort": {"type": "string"}}}
V2 = {"type": "object", "properties": {"host": {"type": "string"}, "port": {"type": "string"}}}


def converted(obj: Any, api_version: str) -> Any:
    made = {**obj, "apiVersion": api_version}
    if api_version.endswith("/v2"):
        host_port = made.pop("hostPort", None)
        if host_port is not None:
            made["host"], _, made["port"] = host_port.partition(":")
    else:
        host, port = made.pop("host", None), made.pop("port", None)
        if host is not None or port is not None:
            made["hostPort"] = f"{host or ''}:{port or ''}"
    return made


def converter(review: Any) -> Any:
    """The answer to a ConversionReview."""
    request = review["request"]
    objects = [converted(obj, request["desiredAPIVersion"]) for obj in request["objects"]]
    response = {"uid": request["uid"], "convertedObjects": objects, "result": {"status": "Success"}}
    return {"kind": "ConversionReview", "apiVersion": review["apiVersion"], "response": response}
