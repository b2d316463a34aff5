"""ingress-controller of a local cluster: follows Ingresses, serves them and shows in their status where. Nothing of it is imported, and
nothing listens, before there is one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import NamedTuple

from controllers.kubelet.process_runtime.service_names import address_of
from controllers.runtime.events import EventRecorder
from controllers.runtime.informer import Change, InformerFactory
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, SECRETS, SERVICES, built_in
from kctl.apimachinery.status import ApiError
from kctl.client.client import Client
from kctl.daemon.ingress import routes
from kctl.daemon.ingress.certificates import Certificates
from kctl.daemon.ingress.proxy import IngressProxy, Refused
from kctl.kube_apiserver.streaming.dialing import Dialer

_LOG = logging.getLogger(__name__)
INGRESSES, CLASSES = built_in("networking.k8s.io/v1", "Ingress"), built_in("networking.k8s.io/v1", "IngressClass")
_OWNER = "kubernetes.io/service-name"
_SETTLE_SECONDS = 0.05
"""How long changes are collected before statuses are written."""
_AGAIN_SECONDS = 5.0
_MOST_TOLD = 10_000


class Place(NamedTuple):
    """Where to listen; 0 for any free port."""

    address: str
    http: int
    https: int


def places(seed: str) -> Sequence[Place]:
    """Best first: the machine's own name in every browser, an address of this cluster alone, ports that need no rights."""
    own = address_of(seed, {"metadata": {"uid": "ingress"}})
    return (Place("127.0.0.1", 80, 443), Place(own, 80, 443), Place(own, 8080, 8443), Place("127.0.0.1", 0, 0))


class IngressController:
    """`wanted` are the places to listen at, in turn."""

    def __init__(
        self,
        client: Client,
        informers: InformerFactory,
        clock: Clock,
        randomness: random.Random,
        dialer: Callable[[], Dialer | None],
        wanted: Sequence[Place],
    ) -> None:
        self._client = client
        self._clock = clock
        self._randomness = randomness
        self._wanted = wanted
        self._ingresses, self._classes = informers.informer(INGRESSES), informers.informer(CLASSES)
        self._services, self._slices = informers.informer(SERVICES), informers.informer(ENDPOINT_SLICES)
        self._secrets = informers.informer(SECRETS)
        self._slices.add_index("ingress.owner", _owners)
        self._recorder = EventRecorder(client, clock, "ingress-controller")
        self._routes: routes.Routes | None = None
        self._proxy = IngressProxy(clock.machine, dialer, self._endpoints)
        self._certificates = Certificates(lambda name: self._now().certificate(name), self._secret, clock.machine.now)
        self._changed = asyncio.Event()
        self._told: dict[tuple[str, str], None] = {}
        self.place: Place | None = None
        """Where it listens."""

    async def run(self) -> None:
        """Until it is cancelled."""
        needed = (self._ingresses, self._classes, self._services, self._slices, self._secrets)
        for informer in needed:
            informer.start()
        await asyncio.gather(*(informer.wait_for_sync() for informer in needed))
        for informer in (self._ingresses, self._classes):
            informer.add_handler(self._forget)
        try:
            await self._listen()
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._clock.machine.sleep(_SETTLE_SECONDS)
                await self._show()
        finally:
            await self._proxy.stop()
            await self._recorder.sink.stop()

    async def _listen(self) -> None:
        """Raises OSError where no place is left."""
        context = self._certificates.listening()
        for place in self._wanted:
            try:
                http = await self._proxy.listen(place.address, place.http, None)
                https = await self._proxy.listen(place.address, place.https, context)
            except OSError as error:
                _LOG.info("cannot listen at %s:%d and %d: %s", *place, os.strerror(error.errno or 0))
                await self._proxy.stop()
                continue
            self.place = Place(place.address, http, https)
            _LOG.info("ingresses are served at %s, ports %d and %d", *self.place)
            self._changed.set()
            return
        raise OSError("there is no address at which Ingresses can be served")

    # ---- what there is

    def _forget(self, changes: Sequence[Change]) -> None:
        self._routes = None
        self._changed.set()

    def _ours(self) -> Iterator[Object]:
        return (each for each in self._ingresses.list() if routes.is_ours(each, self._classes.get))

    def _now(self) -> routes.Routes:
        if self._routes is None:
            self._routes = routes.Routes(self._ours())
        return self._routes

    def _secret(self, certificate: routes.Certificate) -> Object | None:
        return self._secrets.get(f"{certificate.namespace}/{certificate.secret}")

    def _endpoints(self, host: str, path: str) -> Sequence[tuple[str, int]]:
        """Raises Refused: 404 where no rule fits, 503 where nothing is behind it."""
        backend = self._now().find(host, path)
        if backend is None:
            raise Refused(HTTPStatus.NOT_FOUND)
        service = self._services.get(f"{backend.namespace}/{backend.name}")
        port = routes.port_of(service, backend.port) if service is not None else None
        slices = self._slices.by_index("ingress.owner", f"{backend.namespace}/{backend.name}") if port is not None else ()
        found = routes.endpoints(slices, port) if port is not None else []
        if not found:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE)
        self._randomness.shuffle(found)
        return found

    # ---- what is shown

    async def _show(self) -> None:
        assert self.place is not None
        for ingress in list(self._ours()):
            self._tell_of(ingress)
            shown = self._status(self.place)
            if (objects.status(ingress).get("loadBalancer") or {}) != shown:
                try:
                    written = await self._client.update_status(INGRESSES, objects.with_status(ingress, loadBalancer=shown))
                    self._ingresses.observe((written,))
                except ApiError as error:  # it has changed, or gone: the watch says so
                    _LOG.debug("%s: %s", objects.key(ingress), error)

    @staticmethod
    def _status(place: Place) -> Object:
        """Ports are named where they are not those that everybody expects."""
        entry: Object = {"ip": place.address}
        if (place.http, place.https) != (80, 443):
            entry["ports"] = [{"port": port, "protocol": "TCP"} for port in (place.http, place.https)]
        return {"ingress": [entry]}

    def _tell_of(self, ingress: Object) -> None:
        """Once for each Ingress and each thing that is wrong with it, or where to find it."""
        assert self.place is not None
        suffix = "" if self.place.http == 80 else f":{self.place.http}"
        self._tell(ingress, "Normal", "Serving", f"Served at http://{self.place.address}{suffix}/")
        for message in _unserved(ingress):
            self._tell(ingress, "Warning", "NotServed", message)

    def _tell(self, ingress: Object, kind: str, reason: str, message: str) -> None:
        key = objects.uid(ingress), message
        if key not in self._told:
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told[key] = None
            self._recorder.event(ingress, kind, reason, message)


def _owners(endpoint_slice: Object) -> Iterator[str]:
    name = objects.labels(endpoint_slice).get(_OWNER)
    if name:
        yield f"{objects.namespace(endpoint_slice)}/{name}"


def _unserved(ingress: Object) -> Iterator[str]:
    """What it asks for and nobody does here."""
    spec = objects.spec(ingress)
    backends = [("spec.defaultBackend", spec.get("defaultBackend") or {})]
    for number, rule in enumerate(spec.get("rules") or ()):
        for place, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            backends.append((f"spec.rules[{number}].http.paths[{place}].backend", path.get("backend") or {}))
    for field, backend in backends:
        if backend.get("resource"):
            yield f"{field}.resource: only Services can be backends"


async def keep(make: Callable[[], IngressController], clock: Clock) -> None:
    """Until it is cancelled: where no place to listen is left it is tried again."""
    while True:
        with contextlib.suppress(OSError):
            await make().run()
        _LOG.warning("there is no address at which Ingresses can be served: trying again")
        await clock.machine.sleep(_AGAIN_SECONDS)
