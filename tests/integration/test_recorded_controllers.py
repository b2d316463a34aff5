"""What a real cluster's controllers did, step by step, replayed: states, conditions and Events (reason, message, source) are the same.

`recorded_controllers.yaml` holds for each scenario how many answers agree and what differs, with the reason; `pytest -s` prints all.
"""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from kctl.daemon.components import WHOLE_CLUSTER, KubeletComponent
from tests.integration.recorded import ORACLE, load_recorder, recorded_cluster, replay
from tests.kctl.kube_apiserver.test_oracle import without_known_differences

FLOOR: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "recorded_controllers.yaml").read_text())

WITHOUT_METRICS = (*WHOLE_CLUSTER[:-1], partial(KubeletComponent, resource_metrics=False))
_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
HASH, RANDOM_POD = re.compile(f"-{_SAFE}{{8,10}}\\b"), re.compile(f"(?<=<hash>)-{_SAFE}{{5}}\\b")
"""Of names of ReplicaSets and of their pods."""

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(not ORACLE.is_dir(), reason="the recorded answers (../shared/oracle) are not here"),
]


def _name(item: dict[str, Any]) -> str:
    return HASH.sub("", str((item.get("metadata") or {}).get("name")))


def comparable(value: Any) -> Any:
    """Without headers and field owners, and without how often an event was said: that depends on how long somebody looked. The recorded
    nodes were stand-ins that said nothing, so what our kubelets say is left out too."""
    if isinstance(value, str):
        return RANDOM_POD.sub("-<rand>", HASH.sub("-<hash>", value))
    if isinstance(value, dict):
        if "events_summary" in value:
            said = [comparable(each) for each in value["events_summary"] if each["component"] != "kubelet"]
            return {"status": value["status"], "events_summary": sorted(said, key=json.dumps)}
        if isinstance(value.get("items"), list):
            value = {**value, "items": sorted(value["items"], key=_name)}
        return {key: comparable(inner) for key, inner in value.items() if key not in ("headers", "managedFields", "until_failed", "count")}
    if isinstance(value, list):
        return [comparable(inner) for inner in value]
    return value


@pytest.mark.parametrize("name", sorted(FLOOR))
async def test_controllers_do_what_was_recorded(name: str) -> None:
    recorder = load_recorder()
    scenario = recorder.load(ORACLE / "controllers" / f"{name}.yaml")
    components = WITHOUT_METRICS if name == "hpa-no-metrics" else WHOLE_CLUSTER
    async with recorded_cluster(components) as (plane, url):
        answers = await replay(plane, url, recorder, scenario)
    exact, different = 0, {}
    for step, got in zip(scenario["steps"], answers, strict=True):
        want = step.get("response")
        if want is None or got is None:
            continue
        left, right = (without_known_differences(comparable(recorder.canon_mf(side))) for side in (want, got))
        unstable = step.get("unstable") or []
        found = [
            f"{entry[0]}: want {str(entry[1])[:300]}, got {str(entry[2])[:300]}"
            for entry in recorder.diff(left, right)
            if not any(entry[0] == path or entry[0].startswith((f"{path}/", f"{path}(")) for path in unstable)
        ]
        exact += not found
        if found:
            different[step["name"]] = found
    steps = sum(1 for step in scenario["steps"] if step.get("response") is not None)
    print(f"\n{name}: {exact}/{steps}")
    for step_name, found in different.items():
        print(f"  {step_name}: " + "\n    ".join(found[:8]))
    known = FLOOR[name]
    assert exact >= known["exact"], "\n".join(f"{step}: {why[0]}" for step, why in different.items())
