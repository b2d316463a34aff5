"""The pure parts: settings, stages, restart policy, back-off, image names, requests, addresses."""

from __future__ import annotations

import re
from importlib import resources as package_data
from pathlib import Path
from typing import Any

import pytest

from controllers.kubelet import admission, images, restart_policy
from controllers.kubelet.behaviour import DEFAULT, SETTINGS, BehaviourError, settings_of, with_settings
from controllers.kubelet.pod_ips import PodAddresses
from controllers.kubelet.stages import Stages, load_profile, parse_stage

ROOT = Path(__file__).parents[3]


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "simulated-pods.md").read_text()
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", text, re.M))
    assert documented == set(SETTINGS) | {"profile"}


def test_every_profile_loads() -> None:
    folder = package_data.files("manifests").joinpath("stages", "pod")
    names = {entry.name for entry in folder.iterdir() if entry.is_dir()}
    assert {"fast", "general"} <= names
    assert all(load_profile(name) for name in names)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"exit-code": "abc"}, "exit-code: an exit code is 0 to 255"),
        ({"exit-code": "9" * 5000}, "exit-code: an exit code is 0 to 255"),
        ({"log-lines": "many"}, 'log-lines: want a number of lines or "unlimited"'),
        ({"run-duration": "soon"}, 'run-duration: time: invalid duration "soon"'),
        ({"exit-code": "300"}, "exit-code: an exit code is 0 to 255"),
        ({"image-pull": "maybe"}, "image-pull: want ok, slow or fail"),
        ({"nonsense": "1"}, 'unknown setting "nonsense"'),
    ],
)
def test_wrong_settings(settings: dict[str, str], problem: str) -> None:
    with pytest.raises(BehaviourError, match=re.escape(problem)):
        with_settings(DEFAULT, settings)


def test_settings_of_a_container_win() -> None:
    annotations = {"kctl.dev/exit-code": "1", "kctl.dev/app.exit-code": "2", "kctl.dev/profile": "fast", "other/x": "y"}
    assert settings_of(annotations, "app") == {"exit-code": "2"}
    assert settings_of(annotations, "web") == {"exit-code": "1"}


def test_lists_have_one_entry_per_run() -> None:
    behaviour = with_settings(DEFAULT, {"run-duration": "1s,2s-4s,forever", "exit-code": "1,0"})
    assert [behaviour.run_seconds(run) for run in range(4)] == [(1.0, 1.0), (2.0, 4.0), None, None]
    assert [behaviour.exit_code_of(run) for run in range(3)] == [1, 0, 0]


@pytest.mark.parametrize(
    "document",
    [
        {"apiVersion": "v1", "kind": "Stage"},
        {"apiVersion": "kctl.dev/v1alpha1", "kind": "Stage", "spec": {"selector": {"names": ["x"]}}},
        {"apiVersion": "kctl.dev/v1alpha1", "kind": "Stage", "spec": {"settings": {"x": "y"}}},
    ],
)
def test_wrong_stages(document: dict[str, Any]) -> None:
    with pytest.raises(BehaviourError):
        parse_stage(document)


def test_unknown_profile() -> None:
    pod = {"metadata": {"name": "p", "annotations": {"kctl.dev/profile": "../fast"}}}
    with pytest.raises(BehaviourError, match=r'there is no profile "\.\./fast"'):
        Stages().behaviour(pod, "c", "regular", "Always", {})


RULE = {"restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]}


@pytest.mark.parametrize(
    ("container", "policy", "kind", "code", "wanted"),
    [
        ({}, "Always", "regular", 0, True),
        ({}, "OnFailure", "regular", 0, False),
        ({}, "OnFailure", "regular", 1, True),
        ({}, "Never", "regular", 1, False),
        ({}, "Always", "init", 0, False),
        ({}, "Always", "init", 1, True),
        ({}, "Never", "init", 1, False),
        ({"restartPolicy": "Always"}, "Never", "sidecar", 0, True),
        ({"restartPolicy": "OnFailure"}, "Never", "regular", 1, True),
        ({"restartPolicy": "Never", **RULE}, "Always", "regular", 42, True),
        ({"restartPolicy": "Never", **RULE}, "Always", "regular", 1, False),
    ],
)
def test_restarts(container: dict[str, Any], policy: str, kind: str, code: int, wanted: bool) -> None:
    assert restart_policy.restarts(container, policy, kind, code) is wanted


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(10, "10s"), (80, "1m20s"), (300, "5m0s"), (0.25, "250ms"), (1.5, "1.5s"), (3600, "1h0m0s"), (0, "0s")],
)
def test_go_durations(seconds: float, text: str) -> None:
    assert restart_policy.go_duration(seconds) == text


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("bitnami/redis:7", "docker.io/bitnami/redis:7"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("ghcr.io/x/y@sha256:" + "a" * 64, "ghcr.io/x/y@sha256:" + "a" * 64),
    ],
)
def test_image_references(image: str, full: str) -> None:
    assert images.reference(image) == full
    assert "@sha256:" in images.image_id(full)


@pytest.mark.parametrize("image", ["Nginx", "a b", "nginx:", "", "nginx:bad tag"])
def test_wrong_image_names(image: str) -> None:
    with pytest.raises(images.InvalidImageName):
        images.reference(image)


def _requests(cpu: str, **more: Any) -> dict[str, Any]:
    return {"name": "x", "resources": {"requests": {"cpu": cpu}}, **more}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [_requests("100m"), _requests("1")]}, 1100),
        ({"containers": [_requests("1")], "initContainers": [_requests("3"), _requests("2")]}, 3000),
        (
            {
                "containers": [_requests("1")],
                "initContainers": [_requests("500m", restartPolicy="Always"), _requests("1")],
            },
            1500,
        ),
        ({"containers": [_requests("1")], "overhead": {"cpu": "250m"}}, 1250),
        ({"containers": [_requests("1")], "resources": {"requests": {"cpu": "4"}}}, 4000),
    ],
)
def test_pod_requests(spec: dict[str, Any], cpu: int) -> None:
    assert admission.pod_requests(spec)["cpu"] == cpu


def test_addresses_are_unique_and_come_back_last() -> None:
    addresses = PodAddresses("10.0.0.0/29")
    given = [addresses.allocate() for _ in range(6)]
    assert given == ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", ""]
    addresses.release("10.0.0.4")
    assert addresses.allocate() == "10.0.0.4"
    assert addresses.allocate() == ""
    addresses.release("192.168.0.1")
    addresses.reserve("nonsense")
