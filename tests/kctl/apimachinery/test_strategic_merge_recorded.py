"""Strategic merge patches against a real API server's recorded answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kctl.apimachinery import strategic_merge
from kctl.apimachinery.schema import schemas

SCENARIO = Path(__file__).parents[4] / "shared" / "oracle" / "conversations" / "patch-strategic.yaml"
STRATEGIC = "application/strategic-merge-patch+json"


@pytest.mark.oracle
@pytest.mark.skipif(not SCENARIO.exists(), reason="no recorded answers at ../shared/oracle")
def test_patches_give_the_recorded_objects_and_errors() -> None:
    live: dict[str, dict[str, Any]] = {}
    checked = 0
    for step in yaml.load(SCENARIO.read_bytes(), yaml.CSafeLoader)["steps"]:
        answer = step["response"]["body"]
        patch, path = step.get("body"), step["path"]
        known = path.rsplit("/", 1)[-1] in live and isinstance(patch, dict) and "resourceVersion" not in str(patch)
        if step.get("content_type") == STRATEGIC and known:
            before = live[path.rsplit("/", 1)[-1]]
            meta = schemas.load().patch_meta(before["apiVersion"], before["kind"])
            if answer["kind"] != "Status":
                after = strategic_merge.apply(before, patch, meta)
                assert relevant(after) == relevant(answer), step["name"]
                checked += 1
            elif step["response"]["status"] == 500:
                with pytest.raises(strategic_merge.StrategicMergeError) as caught:
                    strategic_merge.apply(before, patch, meta)
                assert caught.value.message == answer["message"]
                checked += 1
        if answer["kind"] != "Status":
            live[answer["metadata"]["name"]] = answer
    assert checked > 18


def relevant(obj: dict[str, Any]) -> Any:
    """Without what the server changes besides the patch: defaults of new items, bookkeeping."""
    schema = schemas.load().for_kind(obj["apiVersion"], obj["kind"])
    assert schema is not None
    text = {key: value for key, value in obj.items() if key != "status"}
    meta = {k: v for k, v in text["metadata"].items() if k in ("name", "labels", "annotations", "finalizers")}
    return _strip({**text, "metadata": meta})


DEFAULTED = {
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "resources",
    "protocol",
    "targetPort",
    "rollingUpdate",
    "type",
    "nope",
    "imagePullSecrets",
    "volumes",
    "nodeSelector",
    "ports",
}


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _strip(v) for k, v in value.items() if k not in DEFAULTED or (k == "ports" and len(v) > 1)}
    return [_strip(item) for item in value] if isinstance(value, list) else value
