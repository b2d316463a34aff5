"""Golden life cycles: golden/<name>.input.yaml is a pod and the times to look at, <name>.output.yaml what the API showed then.

`UPDATE_GOLDEN=1 pytest tests/controllers/kubelet` writes the outputs anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kctl.apimachinery import objects
from kctl.apimachinery.status import NotFound
from tests.controllers.kubelet.cluster import Cluster

FOLDER = Path(__file__).parent / "golden"
NAMES = sorted(path.name.removesuffix(".input.yaml") for path in FOLDER.glob("*.input.yaml"))


class NoAliases(yaml.SafeDumper):
    """Writes equal parts out in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


async def play(cluster: Cluster, given: dict[str, Any]) -> dict[str, Any]:
    await cluster.create(given["pod"])
    name = objects.name(given["pod"])
    shown: list[dict[str, Any]] = []
    elapsed = 0.0
    for moment in given["lookAt"]:
        await cluster.step(float(moment) - elapsed)
        elapsed = float(moment)
        if moment == given.get("deleteAt"):
            await cluster.delete(name)
        try:
            shown.append({"after": f"{moment}s", "status": objects.deep_copy(objects.status(await cluster.pod(name)))})
        except NotFound:
            shown.append({"after": f"{moment}s", "gone": True})
    return {"pod": shown, "events": [f"{reason}: {message}" for reason, message in await cluster.events(name)]}


def normalise(text: str) -> str:
    text = re.sub(r"kctl-sim://[0-9a-f]{64}", "kctl-sim://<id>", text)
    text = re.sub(r"@sha256:[0-9a-f]{64}", "@sha256:<digest>", text)
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uid>", text)


@pytest.mark.parametrize("name", NAMES)
async def test_golden(cluster: Cluster, name: str) -> None:
    given = yaml.safe_load((FOLDER / f"{name}.input.yaml").read_text())
    text = normalise(yaml.dump(await play(cluster, given), Dumper=NoAliases, width=140))
    wanted = FOLDER / f"{name}.output.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        wanted.write_text(text)
    assert text == wanted.read_text()
