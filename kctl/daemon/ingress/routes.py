"""Which backend a request goes to, by the Ingresses of a cluster (networking.k8s.io/v1). Pure.

A host that is named goes before a wildcard (of one label), and that before rules without a host; the longest path of that host wins, of two
the same the Exact one, of two Ingresses the older. What fits no path of its host goes to the default backend. ImplementationSpecific is
Prefix here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

CONTROLLER = "kctl.dev/ingress-controller"
"""Of IngressClasses that are served here."""
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
MOST_PATHS = 100_000
_ANY_HOST = ""


class Backend(NamedTuple):
    """A port of a Service, by number or name; `name` '' for a resource, which is not served."""

    namespace: str
    name: str
    port: int | str


class Path(NamedTuple):
    path: str
    exact: bool
    backend: Backend

    def fits(self, path: str) -> bool:
        if self.exact:
            return path == self.path
        prefix = self.path.rstrip("/")
        return path == prefix or path.startswith(f"{prefix}/")


@dataclass(slots=True)
class _Host:
    paths: list[Path] = field(default_factory=list)
    default: Backend | None = None


class Certificate(NamedTuple):
    """A Secret by which hosts are served over TLS."""

    namespace: str
    secret: str


class Routes:
    """`ingresses` that are served here."""

    def __init__(self, ingresses: Iterable[Object]) -> None:
        self._hosts: dict[str, _Host] = {}
        self._default: Backend | None = None
        self.certificates: dict[str, Certificate] = {}
        """By host, as rules have them."""
        count = 0
        for ingress in sorted(ingresses, key=_age):
            namespace, spec = objects.namespace(ingress), objects.spec(ingress)
            default = _backend(namespace, spec.get("defaultBackend"))
            rules = spec.get("rules") or ()
            if not rules:
                self._default = self._default or default
            for rule in rules:
                host = self._hosts.setdefault(str(rule.get("host") or _ANY_HOST).lower(), _Host())
                host.default = host.default or default
                for each in (rule.get("http") or {}).get("paths") or ():
                    count += 1
                    backend = _backend(namespace, each.get("backend"))
                    if backend is not None and count <= MOST_PATHS:
                        host.paths.append(Path(str(each.get("path") or "/"), each.get("pathType") == "Exact", backend))
            for tls in spec.get("tls") or ():
                for name in tls.get("hosts") or (_ANY_HOST,):
                    if tls.get("secretName"):
                        self.certificates.setdefault(str(name).lower(), Certificate(namespace, str(tls["secretName"])))
        for host in self._hosts.values():
            host.paths.sort(key=lambda each: (-len(each.path.rstrip("/")), not each.exact))  # stable: the older Ingress stays first

    def find(self, host: str, path: str) -> Backend | None:
        """`host` as a Host header has it; `path` without its query."""
        for name in names_for(host_name(host)):
            found = self._hosts.get(name)
            if found is not None:
                return next((each.backend for each in found.paths if each.fits(path)), found.default or self._default)
        return self._default

    def certificate(self, server_name: str) -> Certificate | None:
        """For the name that a TLS client asks for, '' for one that says none."""
        return next((self.certificates[name] for name in names_for(server_name.lower()) if name in self.certificates), None)


def names_for(host: str) -> Iterator[str]:
    """The hosts of rules that fit, the best first."""
    yield host
    _, dot, rest = host.partition(".")
    if dot:
        yield f"*.{rest}"
    yield _ANY_HOST


def host_name(header: str) -> str:
    """Of a Host header: without its port, in lower case."""
    host = header.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _backend(namespace: str, backend: Object | None) -> Backend | None:
    if not backend:
        return None
    service = backend.get("service")
    if service is None:
        return Backend(namespace, "", 0)
    port = service.get("port") or {}
    return Backend(namespace, str(service.get("name")), port.get("number") or str(port.get("name") or ""))


def _age(ingress: Object) -> tuple[str, str]:
    return str(ingress["metadata"].get("creationTimestamp") or ""), objects.key(ingress)


def is_ours(ingress: Object, ingress_class: Callable[[str], Object | None]) -> bool:
    """Of no class, of a class of this controller, or of one that does not exist, which is nobody else's."""
    name = objects.spec(ingress).get("ingressClassName") or objects.annotations(ingress).get(_CLASS_ANNOTATION)
    if not name:
        return True
    found = ingress_class(str(name))
    return found is None or objects.spec(found).get("controller") == CONTROLLER


def port_of(service: Object, wanted: int | str) -> Object | None:
    """The port of a Service that a backend means."""
    field_name = "port" if isinstance(wanted, int) else "name"
    return next((each for each in objects.spec(service).get("ports") or () if each.get(field_name) == wanted), None)


def endpoints(slices: Iterable[Object], port: Object) -> list[tuple[str, int]]:
    """(address, port) of the ready ones; where there are none, of those that end and still serve."""
    ready: dict[tuple[str, int], None] = {}
    ending: dict[tuple[str, int], None] = {}
    for each in slices:
        numbers = [int(entry["port"]) for entry in each.get("ports") or () if (entry.get("name") or "") == (port.get("name") or "")]
        for endpoint in each.get("endpoints") or () if numbers else ():
            conditions = endpoint.get("conditions") or {}
            if conditions.get("ready") is not False:
                ready.update(dict.fromkeys((str(address), numbers[0]) for address in endpoint["addresses"][:1]))
            elif conditions.get("serving") and conditions.get("terminating"):
                ending.update(dict.fromkeys((str(address), numbers[0]) for address in endpoint["addresses"][:1]))
    return list(ready or ending)
