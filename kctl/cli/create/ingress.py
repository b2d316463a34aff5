"""kctl create ingress: rules written as host/path=service:port[,tls[=secret]]."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kctl.cli.create.generator import Generator
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag

_RULE = re.compile(r"^(?P<host>[^/=]*)(?P<path>/[^=]*)?=(?P<service>[^:,]+):(?P<port>[^,]+)(?P<tls>,tls(=(?P<secret>[^,]+))?)?$")


class CreateIngress(Generator):
    """Create an ingress with the specified name."""

    name = "ingress"
    usage = "NAME --rule=host/path=service:port[,tls[=secret]]"

    ingress_class: str = flag("--class", help="Ingress Class to be used")
    rule: Sequence[str] = flag(
        "--rule",
        kind="array",
        help="Rule in format host/path=service:port[,tls=secretname]. Paths containing the leading character '*' are considered pathType=Prefix. tls argument is optional.",
    )
    default_backend: str = flag("--default-backend", help="Default service for backend, in format of svcname:port")
    annotation: Sequence[str] = flag(
        "--annotation", kind="array", help="Annotation to insert in the ingress object, in the format annotation=value"
    )

    async def run(self) -> None:
        name = self.object_name
        if not self.default_backend and not self.rule:
            raise CommandError(
                "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)"
            )
        meta: dict[str, Any] = {"name": name}
        if self.annotation:
            meta["annotations"] = dict(_annotation(annotation) for annotation in self.annotation)
        spec: dict[str, Any] = {}
        if self.ingress_class:
            spec["ingressClassName"] = self.ingress_class
        if self.default_backend:
            spec["defaultBackend"] = _default_backend(self.default_backend)
        parsed = [_parse(rule) for rule in self.rule]
        tls = _tls(parsed)
        if tls:
            spec["tls"] = tls
        if parsed:
            spec["rules"] = _rules(parsed)
        obj = {
            "kind": "Ingress",
            "apiVersion": "networking.k8s.io/v1",
            "metadata": meta,
            "spec": spec,
            "status": {"loadBalancer": {}},
        }
        await self.create(obj, failure="failed to create ingress: ")


def _annotation(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"annotation {text} is invalid and should be in format key=[value]")
    return key, value


def _parse(text: str) -> dict[str, str]:
    match = _RULE.match(text)
    if match is None:
        raise CommandError(f"rule {text} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]")
    return {key: value or "" for key, value in match.groupdict().items()}


def _port(text: str) -> dict[str, Any]:
    return {"number": int(text)} if text.isdigit() else {"name": text}


def _backend(service: str, port: str) -> dict[str, Any]:
    return {"service": {"name": service, "port": _port(port)}}


def _default_backend(text: str) -> dict[str, Any]:
    service, colon, port = text.partition(":")
    if not colon or not service or not port:
        raise CommandError("default-backend should be in format servicename:serviceport")
    return _backend(service, port)


def _rules(parsed: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Rules of one host together, hosts in the order they are first named."""
    hosts: dict[str, list[dict[str, Any]]] = {}
    for rule in parsed:
        path = rule["path"] or "/"
        prefix = path.endswith("*")
        route = {
            "path": path.removesuffix("*") if prefix else path,
            "pathType": "Prefix" if prefix else "Exact",
            "backend": _backend(rule["service"], rule["port"]),
        }
        hosts.setdefault(rule["host"], []).append(route)
    return [{**({"host": host} if host else {}), "http": {"paths": paths}} for host, paths in hosts.items()]


def _tls(parsed: list[dict[str, str]]) -> list[dict[str, Any]]:
    secrets: dict[str, list[str]] = {}
    for rule in parsed:
        if rule["tls"]:
            hosts = secrets.setdefault(rule["secret"], [])
            if rule["host"] and rule["host"] not in hosts:
                hosts.append(rule["host"])
    return [{**({"hosts": hosts} if hosts else {}), **({"secretName": secret} if secret else {})} for secret, hosts in secrets.items()]
