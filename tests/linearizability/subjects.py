"""What is put under the checker: one key of a store, or one ConfigMap of an API server over HTTPS. Both answer in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS
from kctl.apimachinery.status import AlreadyExists, NotFound
from kctl.apimachinery.status import Conflict as ApiConflict
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed
from store.errors import Conflict, KeyExists, KeyNotFound
from store.etcd import Etcd
from tests.linearizability.checker import Outcome


class Answer(NamedTuple):
    outcome: Outcome
    value: str = ""
    revision: int = 0


class Subject(Protocol):
    """`expected` 0: whatever the revision."""

    async def create(self, name: str, value: str) -> Answer: ...

    async def update(self, name: str, value: str, expected: int) -> Answer: ...

    async def delete(self, name: str, expected: int) -> Answer: ...

    async def get(self, name: str) -> Answer: ...

    async def list(self, prefix: str) -> Mapping[str, Answer]:
        """Those that are there."""
        ...


class StoreSubject:
    def __init__(self, store: Etcd) -> None:
        self._store = store

    async def create(self, name: str, value: str) -> Answer:
        try:
            return Answer("done", value, await self._store.create(name, value.encode()))
        except KeyExists:
            return Answer("exists")

    async def update(self, name: str, value: str, expected: int) -> Answer:
        if not expected:  # the store has no such thing; as the API server does it: read, and try again until it wins
            return await self._win(name, value)
        return await self._compare_and_set(name, value, expected)

    async def _compare_and_set(self, name: str, value: str, expected: int) -> Answer:
        try:
            return Answer("done", value, await self._store.update(name, value.encode(), expected))
        except KeyNotFound:
            return Answer("missing")
        except Conflict:
            return Answer("conflict")

    async def _win(self, name: str, value: str) -> Answer:
        while True:
            present = await self.get(name)
            if present.outcome == "missing":
                return present
            answer = await self._compare_and_set(name, value, present.revision)
            if answer.outcome != "conflict":
                return answer

    async def delete(self, name: str, expected: int) -> Answer:
        try:
            await self._store.delete(name, expected or None)
        except KeyNotFound:
            return Answer("missing")
        except Conflict:
            return Answer("conflict")
        return Answer("done")

    async def get(self, name: str) -> Answer:
        found = await self._store.get(name)
        return Answer("missing") if found is None else Answer("done", found.value.decode(), found.mod_revision)

    async def list(self, prefix: str) -> Mapping[str, Answer]:
        found = (await self._store.range(prefix, prefix + "\x7f")).key_values
        return {one.key: Answer("done", one.value.decode(), one.mod_revision) for one in found}


class HttpSubject:
    """A write that gets no answer is `unknown`; a read that gets none raises ConnectionFailed."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(self, name: str, value: str) -> Answer:
        try:
            return _found(await self._client.create(CONFIG_MAPS, _config_map(name, value), "default"))
        except AlreadyExists:
            return Answer("exists")
        except ConnectionFailed:
            return Answer("unknown", value)

    async def update(self, name: str, value: str, expected: int) -> Answer:
        try:
            return _found(await self._client.update(CONFIG_MAPS, _config_map(name, value, expected)))
        except NotFound:
            return Answer("missing")
        except ApiConflict:
            return Answer("conflict")
        except ConnectionFailed:
            return Answer("unknown", value)

    async def delete(self, name: str, expected: int) -> Answer:
        try:
            await self._client.delete(CONFIG_MAPS, name, "default", resource_version=str(expected) if expected else "")
        except NotFound:
            return Answer("missing")
        except ApiConflict:
            return Answer("conflict")
        except ConnectionFailed:
            return Answer("unknown")
        return Answer("done")

    async def get(self, name: str) -> Answer:
        try:
            return _found(await self._client.get(CONFIG_MAPS, name, "default"))
        except NotFound:
            return Answer("missing")

    async def list(self, prefix: str) -> Mapping[str, Answer]:
        items = (await self._client.list(CONFIG_MAPS, "default"))["items"]
        return {objects.name(one): _found(one) for one in items if objects.name(one).startswith(prefix)}


def _found(obj: Object) -> Answer:
    return Answer("done", obj["data"]["value"], int(objects.resource_version(obj)))


def _config_map(name: str, value: str, expected: int = 0) -> Object:
    metadata = {"name": name, "namespace": "default", **({"resourceVersion": str(expected)} if expected else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}}
