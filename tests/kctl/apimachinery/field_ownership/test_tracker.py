"""What is remembered of changes of a shape is what working them out gives: over random histories of random objects both say the same."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.apimachinery.field_ownership import builtin_fields, managed_fields, managers
from kctl.apimachinery.field_ownership.entries import UPDATE, Manager
from kctl.apimachinery.field_ownership.field_schema import DEDUCED, FieldType
from kctl.apimachinery.field_ownership.tracker import Tracker
from kctl.apimachinery.objects import Object, deep_copy
from kctl.apimachinery.schema import schemas

_WORDS = st.sampled_from(["a", "b", "c%s"])
_CONDITIONS = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(["Ready", "Initialized"]), "status": st.sampled_from(["True", "False"])}), max_size=3
)
_STATUS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "phase": _WORDS,
        "podIPs": st.lists(st.fixed_dictionaries({"ip": st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1"])}), max_size=3),
        "conditions": _CONDITIONS,
        "hostIPs": st.just([{"ip": "1.1.1.1"}]),
        "containerStatuses": st.lists(st.fixed_dictionaries({"name": _WORDS}), max_size=2),
        "allocatedResources": st.dictionaries(_WORDS, st.sampled_from(["1", "2"]), max_size=2),
    },
)
_PORT = st.fixed_dictionaries({"containerPort": st.integers(1, 3)}, optional={"protocol": st.sampled_from(["TCP", "UDP"]), "name": _WORDS})
_CONTAINER = st.fixed_dictionaries(
    {"name": _WORDS}, optional={"image": _WORDS, "ports": st.lists(_PORT, max_size=2), "resources": st.just({})}
)
_SPEC = st.fixed_dictionaries({"containers": st.none() | st.lists(_CONTAINER, max_size=2)}, optional={"nodeName": _WORDS})
_OWNER = st.fixed_dictionaries({"uid": st.sampled_from(["1", "2"]), "kind": _WORDS})
_METADATA = st.fixed_dictionaries(
    {"name": st.just("p"), "uid": st.just("u")},
    optional={
        "labels": st.dictionaries(_WORDS, _WORDS, max_size=2),
        "finalizers": st.lists(_WORDS, max_size=2, unique=True),
        "ownerReferences": st.lists(_OWNER, max_size=2),
        "generation": st.integers(1, 2),
    },
)
_PODS = st.fixed_dictionaries({"metadata": _METADATA, "spec": _SPEC, "status": _STATUS})
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(0, 2) | _WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_WORDS, inner, max_size=2),
    max_leaves=6,
)
_CUSTOM = st.fixed_dictionaries({"metadata": _METADATA}, optional={"spec": _JSON, "status": _JSON})
_HISTORY = st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["", "status"]), st.integers(0, 1))


def _form(field_type: FieldType, zero: Object) -> managers.PlainForm:
    return managers.PlainForm("v1", field_type, zero, managers.Filter({"f:status": {}}))


def _pod_zero() -> Object:
    schema = schemas.load().for_kind("v1", "Pod")
    assert schema is not None
    return schema.decode({"metadata": {}}).object


_POD = _form(builtin_fields.field_type("v1", "Pod"), _pod_zero())
_ANYTHING = _form(DEDUCED, {"metadata": {}})
_TRACKERS = {(id(form), part): Tracker(form, part) for form in (_POD, _ANYTHING) for part in ("", "status")}
"""Kept between the examples, so that most of what they ask for is remembered."""


def _both_ways(form: managers.PlainForm, history: list[tuple[Object, tuple[str, str, int]]]) -> None:
    present: Object = form.zero
    lazily: managed_fields.ManagedFields | None = None
    eagerly: Any = {}
    second = 10
    for number, (obj, (name, subresource, later)) in enumerate(history):
        second += later
        now = f"2020-01-01T00:00:{second}Z"
        tracker = _TRACKERS[id(form), subresource]
        writer = Manager(name, UPDATE, "v1", subresource)
        before = deep_copy(obj)
        if not number:
            lazily = tracker.created(obj, name, now)
        elif eagerly:  # nobody is tracked where nobody was
            lazily = tracker.updated(present, obj, lazily, name, now)
        if not number or eagerly:
            with suppress(ValueError):  # items without a key: everything stays as it was
                eagerly = managers.update(present, obj, eagerly, writer, now, form)
        assert obj == before
        assert (lazily.managed() if lazily is not None else {}) == eagerly
        wanted = managed_fields.of(eagerly)
        assert (lazily.json() if lazily is not None else "") == (wanted.json() if wanted is not None else "")
        present = obj


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_PODS, _HISTORY), min_size=1, max_size=6))
def test_pods(history: list[tuple[Object, tuple[str, str, int]]]) -> None:
    _both_ways(_POD, history)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(_CUSTOM, _HISTORY), min_size=1, max_size=5))
def test_kinds_without_a_schema(history: list[tuple[Object, tuple[str, str, int]]]) -> None:
    _both_ways(_ANYTHING, history)


def test_what_is_made_alike_at_one_instant_shares_its_owners() -> None:
    tracker = Tracker(_POD)
    pods: list[Object] = [{"metadata": {"name": name}, "spec": {"containers": [{"name": "c"}]}} for name in ("a", "b", "c")]
    first, second = (tracker.created(pod, "kubelet", "2020-01-01T00:00:00Z") for pod in pods[:2])
    third = tracker.created(pods[2], "kubelet", "2020-01-01T00:00:01Z")
    assert first is second
    assert first is not None and third is not None and first is not third
    assert third.layout is first.layout


def test_addresses_are_no_part_of_what_is_shared() -> None:
    tracker, status = Tracker(_POD), Tracker(_POD, "status")
    layouts = set()
    for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
        pod: Object = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}]}, "status": {}}
        running = {**pod, "spec": {**pod["spec"]}, "metadata": {**pod["metadata"], "labels": {"a": "b"}}}
        made = tracker.created(pod, "m", "2020-01-01T00:00:00Z")
        running["metadata"]["ownerReferences"] = [{"uid": address}]
        changed = status.updated(pod, running, made, "kubelet", "2020-01-01T00:00:02Z")
        assert changed is not None and address in changed.json()
        layouts.add(changed.layout)
    assert len(layouts) == 1
