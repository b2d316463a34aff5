"""agnhost guestbook: a store with replicas, and the page that asks them."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping

from controllers.kubelet.commands.network import joined
from controllers.kubelet.commands.process import Process, Run
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.fetching import ClientError, get
from controllers.kubelet.commands.programs.golang import Flag
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.programs.servers import as_json, serve
from controllers.kubelet.commands.programs.serving import Server, Task

Waits = float | None
_REGISTER_SECONDS, _RETRY_SECONDS = 15.0, 1.0
_MOST_KEYS = 10_000
_MOST_REPLICAS = 1000


class _Guestbook:
    def __init__(self, process: Process, values: Mapping[str, Flag]) -> None:
        self.process = process
        self.server = Server(process)
        self.store: dict[str, str] = {}
        self._replicas: list[str] = []
        self._backend = str(values["backend-port"])
        self._primary = str(values["replicaof"])

    def register(self) -> Task:
        """A replica makes itself known and takes over what is stored."""
        clock, network = self.process.world.clock, self.process.world.network
        start = clock.monotonic()
        place = f"{self._primary}:{self._backend}"
        while clock.monotonic() - start < _REGISTER_SECONDS:
            own = network.addresses[0] if network is not None and network.addresses else ""
            self.server.log(f"Registering to primary: {place}/register?host={own}")
            try:
                answer = yield from get(self.process, f"http://{place}/register?host={own}")
                data = json.loads(answer.body)["data"]
                self.store = {str(key): str(value) for key, value in data.items()}
            except ClientError as failed:
                self.server.log(f"encountered error while registering to primary: {failed}. Retrying in 1s.")
                yield _RETRY_SECONDS
                continue
            except (ValueError, KeyError, AttributeError) as wrong:
                self.server.log(f"Error while unmarshaling primary's response: {wrong}")
                self.server.exit(1)
                return
            self.server.log(f"Registered to node: {self._primary}")
            return
        self.server.log("Timed out while registering to primary.")
        self.server.exit(1)

    def handle(self, request: Request) -> Response | Generator[Waits, None, Response]:
        query = request.query
        if request.path == "/register":
            return self._registered(query.get("host", ""))
        key, value = query.get("key", ""), query.get("value", "")
        if request.path == "/get":
            self.server.log(f"GET /get?key={key}")
            return http.text(as_json({"data": self.store.get(key, "") if key else self.store}))
        if request.path == "/set":
            self.server.log(f"GET /set?key={key}&value={value}")
            return self._set(key, value)
        if request.path == "/guestbook":
            return self._asked(query.get("cmd", "").lower(), key, value)
        return http.not_found()

    def _registered(self, address: str) -> Response:
        self.server.log(f"GET /register?host={address}")
        if len(self._replicas) < _MOST_REPLICAS:
            self._replicas.append(address)
        self.server.log(f"Node '{address}' registered.")
        return http.text(as_json({"data": self.store}))

    def _set(self, key: str, value: str) -> Response | Generator[Waits, None, Response]:
        if not key:
            return http.error("cannot set with empty key.", 400)
        if len(self.store) >= _MOST_KEYS and key not in self.store:
            return http.error("too many keys", 417)
        self.store[key] = value
        return self._propagated(key, value)

    def _propagated(self, key: str, value: str) -> Generator[Waits, None, Response]:
        for replica in list(self._replicas):
            try:
                yield from get(self.process, f"http://{joined(replica, int(self._backend))}/set?key={key}&value={value}")
            except ClientError as failed:
                return http.error(f"encountered error while propagating to replica '{replica}': {failed}", 417)
        return http.text(as_json({"message": "Updated"}))

    def _asked(self, command: str, key: str, value: str) -> Response | Generator[Waits, None, Response]:
        self.server.log(f"GET /guestbook?cmd={command}&key={key}&value={value}")
        if command not in ("get", "set"):
            return http.error(f"unsupported cmd: '{command}'", 400)
        if command == "set" and not key:
            return http.error("cannot set with empty key.", 400)
        return self._proxied(command, key, value)

    def _proxied(self, command: str, key: str, value: str) -> Generator[Waits, None, Response]:
        host = "agnhost-replica" if command == "get" else "agnhost-primary"
        try:
            answer = yield from get(self.process, f"http://{host}:{self._backend}/{command}?key={key}&value={value}")
        except ClientError as failed:
            return http.error(f"encountered error: {failed}", 417)
        return http.text(answer.body.decode("utf-8", "replace"))


def _run(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    guestbook = _Guestbook(process, values)
    if values["replicaof"]:
        guestbook.server.spawn(guestbook.register())
    port = str(values["http-port"])
    return (yield from serve(guestbook.server, int(port) if port.isdigit() else 80, guestbook.handle))


FLAGS: Mapping[str, Mapping[str, Flag]] = {"guestbook": {"http-port": "80", "backend-port": "6379", "replicaof": ""}}
SHORT: Mapping[str, Mapping[str, str]] = {}
SUBCOMMANDS = {"guestbook": _run}
