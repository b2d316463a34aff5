"""The recorded answers: for each kind the words its validation knows and a digest of what was said of each random object.

`python -m tests.kctl.kube_apiserver.registry.corpus.golden [Kind...]` records anew, after a change of answers that is meant.
"""

from __future__ import annotations

import ast
import base64
import json
import struct
import sys
from pathlib import Path
from typing import Any

from kctl.apimachinery.resources import ResourceType
from tests.kctl.kube_apiserver.registry.corpus.answers import answers, digest, resources
from tests.kctl.kube_apiserver.registry.corpus.generator import Generator
from tests.kctl.kube_apiserver.registry.corpus.hints import BY_KIND, HINTS

GOLDEN = Path(__file__).parent / "golden.json"
OBJECTS = 30


def load() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {"words": {}, "digests": {}}


def group_of(resource: ResourceType) -> str:
    return resource.group.partition(".")[0] or "core"


def name_of(resource: ResourceType) -> str:
    return f"{resource.kind}.{group_of(resource)}"


def generator_for(resource: ResourceType) -> Generator:
    words = load()["words"].get(group_of(resource)) or words_of(group_of(resource))
    return Generator({**HINTS, **BY_KIND.get(resource.kind, {})}, words)


def words_of(group: str) -> list[str]:
    """The short string constants of the group's validation."""
    folder = Path(__file__).parents[5] / "kctl/kube_apiserver/registry" / group
    found = set()
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 40 and " " not in node.value:
                found.add(node.value)
    return sorted(word for word in found if word.isprintable() and not word.startswith(("kctl.", "_", "{", ".", "[")))[:160]


def record(kinds: list[str]) -> None:
    golden = load()
    for resource in resources():
        if kinds and resource.kind not in kinds:
            continue
        generator = generator_for(resource)
        digests = [digest(said) for _, said in answers(resource, generator, OBJECTS)]
        packed = base64.b64encode(struct.pack(f"<{len(digests)}H", *digests)).decode()
        golden["words"].setdefault(group_of(resource), generator.literals)
        golden["digests"][name_of(resource)] = packed
    GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")


def digests(name: str) -> list[int]:
    packed = base64.b64decode(load()["digests"][name])
    return list(struct.unpack(f"<{len(packed) // 2}H", packed))


if __name__ == "__main__":
    record(sys.argv[1:])
