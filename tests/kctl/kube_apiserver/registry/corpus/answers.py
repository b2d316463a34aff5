"""What defaulting and validation make of the random objects of a kind, as texts: for comparing two states of the code.

`python -m tests.kctl.kube_apiserver.registry.corpus.answers dump Deployment 100` prints one JSON line for each object.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator
from typing import Any

from kctl.apimachinery.resources import BUILT_IN, ResourceType
from kctl.apimachinery.schema import schemas
from kctl.kube_apiserver.registry import strategies
from tests.kctl.kube_apiserver.registry.corpus.generator import Generator
from tests.kctl.kube_apiserver.registry.harness import Harness, Pool

NAMES = ("x", "exempt", "x", "system-node-critical", "a:b:c", "x")
ANNOTATIONS: tuple[dict[str, str], ...] = ({}, {"kubernetes.io/ingress.class": "a"}, {"volume.beta.kubernetes.io/storage-class": "b"})


def resources() -> list[ResourceType]:
    """Every built-in kind with a strategy, in its storage version."""
    listed = strategies.load()
    found: dict[tuple[str, str], ResourceType] = {}
    for resource in BUILT_IN:
        if (resource.group, resource.plural) in listed and schemas.load().for_kind(resource.api_version, resource.kind):
            found.setdefault((resource.group, resource.plural), resource)
    return list(found.values())


def answers(resource: ResourceType, generator: Generator, count: int) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """(object, what is said of it) for each of `count` objects; a failure of ours counts as an answer."""
    schema = schemas.load().for_kind(resource.api_version, resource.kind)
    assert schema is not None
    harness = Harness(resource.api_version, resource.kind, cluster_ips=Pool("10.0.0.9"), node_ports=Pool(*range(30000, 30100)))
    before: dict[str, Any] | None = None
    for number in range(count):
        seed = f"{resource.kind}{number}"
        try:
            obj = schema.decode(generator.object(schema.type_name, seed)).object
            other = schema.decode(generator.mutated(obj, schema.type_name, seed)).object
        except schemas.DecodeError:
            continue
        obj["metadata"] = other["metadata"] = {"name": NAMES[number % len(NAMES)], "uid": "u", "annotations": ANNOTATIONS[number % 3]}
        said = [_defaulted(harness, obj), *_said("create", lambda obj=obj: _create(harness, obj))]  # type: ignore[misc]
        if before is not None and number % 2:
            said += _said("update", lambda obj=obj, before=before: _update(harness, before, obj, ""))  # type: ignore[misc]
        said += _said("change", lambda obj=obj, other=other: _update(harness, obj, other, ""))  # type: ignore[misc]
        said += _said("status", lambda obj=obj, other=other: _update(harness, obj, other, "status"))  # type: ignore[misc]
        before = obj
        yield obj, said


def _said(what: str, ask: Any) -> list[str]:
    try:
        return [f"{what}: {error}" for error in ask()]
    except Exception as error:
        return [f"{what} raised {type(error).__name__}"]


def _defaulted(harness: Harness, obj: dict[str, Any]) -> str:
    made = harness._complete(obj)
    try:
        harness.strategy.default(harness.context(), made)
    except Exception as error:
        return f"default raised {type(error).__name__}"
    return "default: " + json.dumps(made, sort_keys=True)


def _create(harness: Harness, obj: dict[str, Any]) -> list[str]:
    made, context = harness._complete(obj), harness.context()
    harness.strategy.default(context, made)
    return [str(error) for error in harness.strategy.validate(context, made)]


def _update(harness: Harness, old: dict[str, Any], new: dict[str, Any], subresource: str) -> list[str]:
    before, made, context = harness._complete(old), harness._complete(new), harness.context(subresource)
    harness.strategy.default(context, before)
    harness.strategy.default(context, made)
    check = harness.strategy.validate_status_update if subresource else harness.strategy.validate_update
    return [str(error) for error in check(context, made, before)]


def digest(said: list[str]) -> int:
    return zlib.crc32("\n".join(said).encode()) & 0xFFFF


if __name__ == "__main__":
    from tests.kctl.kube_apiserver.registry.corpus.golden import generator_for

    _, _, kind, amount, *rest = [*sys.argv, "", ""]
    for resource in resources():
        if kind in (resource.kind, "all"):
            for obj, said in answers(resource, generator_for(resource), int(amount or 100)):
                sys.stdout.write(json.dumps([resource.kind, said, obj if rest and rest[0] else None]) + "\n")
