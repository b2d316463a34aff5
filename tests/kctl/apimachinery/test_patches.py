"""JSON patch, JSON merge patch, strategic merge patch, and the making of them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kctl.apimachinery import bounds, json_patch, merge_patch, strategic_diff, strategic_merge
from kctl.apimachinery.schema import schemas

DEPLOYMENT = schemas.load().patch_meta("apps/v1", "Deployment")


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        ({}, [{"op": "add", "path": "/a", "value": 1}], {"a": 1}),
        ({"a": [1, 2]}, [{"op": "add", "path": "/a/1", "value": 9}], {"a": [1, 9, 2]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a/b": 1, "c~d": 2}, [{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/c~0d"}], {}),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": {"b": None}}], {"a": {"b": None}}),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1}], {"a": 1}),
        ({"a": 1}, [{"op": "test", "path": "/b", "value": None}], {"a": 1}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": 5}], 5),
    ],
)
def test_json_patch(document: Any, operations: list[Any], expected: Any) -> None:
    before = copy.deepcopy(document)
    assert json_patch.apply(document, operations) == expected
    assert document == before


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"op": "test", "path": "/a", "value": 2}, "testing value /a failed: test failed"),
        ({"op": "test", "path": "/a", "value": True}, "testing value /a failed: test failed"),
        ({"op": "remove", "path": "/x"}, "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value"),
        ({"op": "remove", "path": "/x/y"}, 'remove operation does not apply: doc is missing path: "/x/y": missing value'),
        (
            {"op": "replace", "path": "/x/y", "value": 1},
            "replace operation does not apply: doc is missing path: /x/y: missing value",
        ),
        (
            {"op": "replace", "path": "/x", "value": 1},
            "replace operation does not apply: doc is missing key: /x: missing value",
        ),
        (
            {"op": "add", "path": "/x/y", "value": 1},
            'add operation does not apply: doc is missing path: "/x/y": missing value',
        ),
        ({"op": "remove", "path": "/l/5"}, "Unable to access invalid index: 5: invalid index referenced"),
        ({"op": "fly", "path": "/a"}, "Unexpected kind: fly"),
    ],
)
def test_json_patch_refusals(operation: dict[str, Any], message: str) -> None:
    with pytest.raises(json_patch.JsonPatchError) as caught:
        json_patch.apply({"a": 1, "l": []}, [operation])
    assert caught.value.message == message
    assert not isinstance(caught.value, json_patch.MalformedPatch)


def test_json_patch_must_be_a_list() -> None:
    with pytest.raises(json_patch.MalformedPatch):
        json_patch.apply({}, {"op": "add"})


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [  # the table of RFC 7386
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "foo"}, None, None),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"c": None}}}, {"a": {"bb": {}}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)
def test_merge_patch(target: Any, patch: Any, expected: Any) -> None:
    assert merge_patch.apply(target, patch) == expected


def test_three_way_merge_patch_removes_only_what_was_applied() -> None:
    original = {"spec": {"a": 1, "b": {"c": 1}}}
    modified = {"spec": {"a": 2}, "new": True}
    current = {"spec": {"a": 1, "b": {"c": 1, "d": 1}, "server": 1}}
    assert merge_patch.three_way(original, modified, current) == {"spec": {"a": 2, "b": None}, "new": True}


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(
    ("live", "patch", "expected"),
    [
        (
            {"containers": [{"name": "a", "image": "1"}, {"name": "b"}]},
            {"containers": [{"name": "c"}, {"name": "a", "image": "2"}]},
            {"containers": [{"name": "c"}, {"name": "a", "image": "2"}, {"name": "b"}]},
        ),
        (
            {"containers": [{"name": "a"}, {"name": "b"}]},
            {"containers": [{"name": "a", "$patch": "delete"}]},
            {"containers": [{"name": "b"}]},
        ),
        ({"containers": [{"name": "a"}]}, {"containers": [{"$patch": "replace"}, {"name": "n"}]}, {"containers": [{"name": "n"}]}),
        ({"nodeSelector": {"a": "b"}}, {"nodeSelector": {"$patch": "replace", "c": "d"}}, {"nodeSelector": {"c": "d"}}),
        ({"nodeSelector": {"a": "b", "c": "d"}}, {"nodeSelector": {"a": None}}, {"nodeSelector": {"c": "d"}}),
        (
            {"volumes": [{"name": "v", "emptyDir": {}}]},
            {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]},
            {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]},
        ),
        ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
        (
            {"containers": [{"name": "a"}, {"name": "b"}, {"name": "x"}]},
            {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]},
            {"containers": [{"name": "b"}, {"name": "a"}, {"name": "x"}]},
        ),
    ],
    ids=["merge", "delete", "replace", "map-replace", "map-null", "retain-keys", "no-merge-key", "order-only"],
)
def test_strategic_merge(live: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    before = copy.deepcopy(live)
    assert strategic_merge.apply(pod(**live), pod(**patch), DEPLOYMENT) == pod(**expected)
    assert live == before


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"$retainKeys": "containers"}, "invalid patch format of retainKeys"),
        ({"$retainKeys": ["volumes"], "hostname": "h"}, "invalid patch format of retainKeys"),
        ({"containers": [{"$patch": "merge", "name": "a"}]}, "merging lists cannot yet be specified in the patch"),
        ({"containers": [5]}, "list element types are not identical: [[map[name:a]] [5]]"),
        (
            {"containers": [{"name": "a", "command": []}, None]},
            "list element types are not identical: [[map[name:a]] [map[command:[] name:a] <nil>]]",
        ),
        ({"$setElementOrder/containers": "a"}, "expected a []interface {}, but received a string"),
        ({"$setElementOrder/containers": None}, "expected a []interface {}, but received a %!s(<nil>)"),
        ({"containers": [{"$patch": "delete"}]}, "map: map[$patch:delete] does not contain declared merge key: name"),
    ],
    ids=["retain-text", "retain-other", "merge", "number", "null", "order-text", "order-null", "no-key"],
)
def test_strategic_merges_that_cannot_be(patch: dict[str, Any], why: str) -> None:
    with pytest.raises(strategic_merge.StrategicMergeError) as caught:
        strategic_merge.apply(pod(containers=[{"name": "a"}]), pod(**patch), DEPLOYMENT)
    assert caught.value.message == why


def test_strategic_merge_of_primitive_lists() -> None:
    live = {"metadata": {"finalizers": ["a", "b"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}}
    assert strategic_merge.apply(live, patch, DEPLOYMENT) == {"metadata": {"finalizers": ["c", "b"]}}


@pytest.mark.parametrize(
    ("original", "modified", "current", "patch"),
    [
        (
            {"containers": [{"name": "c", "image": "1"}]},
            {"containers": [{"name": "c", "image": "2"}]},
            {"containers": [{"name": "c", "image": "1", "imagePullPolicy": "Always"}]},
            {"$setElementOrder/containers": [{"name": "c"}], "containers": [{"name": "c", "image": "2"}]},
        ),
        (
            {"containers": [{"name": "a"}, {"name": "b"}]},
            {"containers": [{"name": "b"}]},
            {"containers": [{"name": "a"}, {"name": "b"}]},
            {"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a", "$patch": "delete"}]},
        ),
        (
            {"containers": [{"name": "c", "env": [{"name": "A", "value": "1"}]}]},
            {"containers": [{"name": "c"}]},
            {"containers": [{"name": "c", "env": [{"name": "A", "value": "1"}]}]},
            {"$setElementOrder/containers": [{"name": "c"}], "containers": [{"name": "c", "env": None}]},
        ),
        ({"hostname": "x"}, {}, {"hostname": "x", "dnsPolicy": "Default"}, {"hostname": None}),
    ],
    ids=["change", "remove", "remove-below", "remove-scalar"],
)
def test_three_way_strategic_patch(original: Any, modified: Any, current: Any, patch: Any) -> None:
    made = strategic_diff.three_way(pod(**original), pod(**modified), pod(**current), DEPLOYMENT)
    assert made == pod(**patch)
    merged = strategic_merge.apply(pod(**current), made, DEPLOYMENT)
    assert strategic_diff.three_way(pod(**modified), pod(**modified), merged, DEPLOYMENT) == {}


def test_recreate_strategy_clears_rolling_update() -> None:
    current = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}}}
    modified = {"spec": {"strategy": {"type": "Recreate"}}}
    patch = strategic_diff.three_way({"spec": {}}, modified, current, DEPLOYMENT)
    assert patch == {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge.apply(current, patch, DEPLOYMENT) == modified


def test_a_move_costs_the_same_however_much_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    surveys = 0
    survey = bounds.survey

    def counted(value: Any) -> tuple[int, int]:
        nonlocal surveys
        surveys += 1
        return survey(value)

    monkeypatch.setattr(bounds, "survey", counted)
    moves = [{"op": "move", "from": "/a", "path": "/b"}, {"op": "move", "from": "/b", "path": "/a"}] * 100
    assert json_patch.apply({"a": {"c": 1}}, moves) == {"a": {"c": 1}}
    assert surveys == 1
    deeper = [
        {"op": "add", "path": "/b", "value": {}},
        {"op": "move", "from": "/a", "path": "/b/a"},
        {"op": "move", "from": "/b", "path": "/a"},
    ]
    with pytest.raises(json_patch.JsonPatchError, match="exceeded max depth"):
        json_patch.apply({"a": {}}, deeper * 300)
