"""What is remembered of admitted pod templates, and for how long."""

from __future__ import annotations

import pytest

from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import admitted_specs
from kctl.kube_apiserver.registry.admitted_specs import UNUSED_SECONDS, AdmittedSpecs


def _pod(name: str) -> Object:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": name}]}}


def _remember(specs: AdmittedSpecs, pod: Object, now: float) -> None:
    specs.remember("pods", "default", pod, pod, (1,), now)


def _knows(specs: AdmittedSpecs, pod: Object, now: float) -> bool:
    return specs.find("pods", "default", pod, (1,), now) is not None


def test_what_is_not_used_any_more_is_forgotten() -> None:
    specs, used, unused, new = AdmittedSpecs(), _pod("used"), _pod("unused"), _pod("new")
    _remember(specs, used, 0.0)
    _remember(specs, unused, 0.0)
    assert _knows(specs, used, UNUSED_SECONDS)
    _remember(specs, new, UNUSED_SECONDS + 1)
    assert [_knows(specs, pod, UNUSED_SECONDS + 1) for pod in (used, unused, new)] == [True, False, True]


def test_of_too_many_the_longest_unused_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admitted_specs, "LIMIT", 2)
    specs, pods = AdmittedSpecs(), [_pod(str(number)) for number in range(3)]
    _remember(specs, pods[0], 0.0)
    _remember(specs, pods[1], 0.0)
    assert _knows(specs, pods[0], 1.0)
    _remember(specs, pods[2], 2.0)
    assert [_knows(specs, pod, 2.0) for pod in pods] == [True, False, True]


def test_another_template_or_other_limits_are_not_confused_with_it() -> None:
    specs, pod = AdmittedSpecs(), _pod("a")
    _remember(specs, pod, 0.0)
    assert not _knows(specs, _pod("a"), 0.0)
    assert specs.find("pods", "default", pod, (2,), 0.0) is None
    assert specs.find("pods", "other", pod, (1,), 0.0) is None
