"""The pods that `kctl debug` makes: what each profile allows, and what a copy keeps."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.cli.debug import pods
from kctl.cli.debug.profiles import PROFILES, Keep
from kctl.cli.errors import CommandError

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default", "labels": {"a": "b"}, "annotations": {"c": "d"}, "uid": "1"},
    "spec": {
        "nodeName": "n",
        "containers": [{"name": "app", "image": "app:1", "args": ["x"], "livenessProbe": {"exec": {}}}],
        "initContainers": [{"name": "init", "image": "i"}],
    },
}


def debug(profile: str = "general", words: tuple[str, ...] = (), image: str = "busybox", **custom: Any) -> pods.DebugContainer:
    return pods.DebugContainer(image, "", (("K", "V"),), words, False, True, True, PROFILES[profile], custom or None)


@pytest.mark.parametrize(
    ("profile", "context"),
    [
        ("legacy", None),
        ("general", {"capabilities": {"add": ["SYS_PTRACE"]}}),
        ("baseline", None),
        ("netadmin", {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}}),
        ("sysadmin", {"privileged": True}),
        (
            "restricted",
            {
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
                "allowPrivilegeEscalation": False,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        ),
    ],
)
def test_profiles_of_ephemeral_containers(profile: str, context: Any) -> None:
    (made,) = pods.with_ephemeral(POD, "dbg", debug(profile), "app")["spec"]["ephemeralContainers"]
    assert made.get("securityContext") == context
    assert (made["targetContainerName"], made["env"], made["stdin"], made["tty"]) == ("app", [{"name": "K", "value": "V"}], True, True)


@pytest.mark.parametrize(("profile", "host", "root"), [("general", True, True), ("netadmin", True, False), ("restricted", False, False)])
def test_pods_on_nodes(profile: str, host: bool, root: bool) -> None:
    spec = pods.for_node("n", "node-debugger-n-abcde", "debugger", debug(profile))["spec"]
    assert (spec.get("hostPID", False), "volumes" in spec, spec["nodeName"], spec["restartPolicy"]) == (host, root, "n", "Never")


def copy(**more: Any) -> pods.Copy:
    return pods.Copy(**{"name": "w", "container": "", "keep": Keep(), "same_node": False, "share_processes": None, "images": {}, **more})


def test_a_copy_is_no_part_of_the_application() -> None:
    made = pods.with_debug_container(copy().of(POD), "dbg", copy(), debug())
    assert made["metadata"] == {"name": "w", "namespace": "default"}
    assert "nodeName" not in made["spec"] and made["spec"]["shareProcessNamespace"] is True
    app, dbg = made["spec"]["containers"]
    assert "livenessProbe" not in app and dbg["image"] == "busybox"


def test_what_a_copy_may_keep() -> None:
    keep = Keep(labels=True, annotations=True, liveness=True, init_containers=False)
    how = copy(keep=keep, same_node=True, share_processes=False)
    made = pods.with_debug_container(how.of(POD), "dbg", how, debug())
    assert made["metadata"]["labels"] == {"a": "b"} and made["metadata"]["annotations"] == {"c": "d"}
    assert (made["spec"]["nodeName"], made["spec"]["shareProcessNamespace"]) == ("n", False)
    assert "livenessProbe" in made["spec"]["containers"][0] and "initContainers" not in made["spec"]


def test_a_copy_with_another_command_or_image() -> None:
    made = pods.with_debug_container(copy().of(POD), "app", copy(), debug(words=("sh",), image=""))
    (app,) = made["spec"]["containers"]
    assert (app["command"], app.get("args"), app["image"]) == (["sh"], None, "app:1")
    assert copy(images={"*": "x", "app": "y"}).of(POD)["spec"]["containers"][0]["image"] == "y"
    with pytest.raises(CommandError, match="you must specify image"):
        pods.with_debug_container(copy().of(POD), "new", copy(), debug(image=""))


def test_a_custom_profile_is_laid_over() -> None:
    made = pods.with_ephemeral(POD, "dbg", debug(env=[{"name": "K", "value": "W"}], securityContext={"runAsUser": 0}), "")
    (container,) = made["spec"]["ephemeralContainers"]
    assert container["securityContext"] == {"capabilities": {"add": ["SYS_PTRACE"]}, "runAsUser": 0}
    assert container["env"] == [{"name": "K", "value": "W"}]


def test_who_is_not_root_may_lack_power() -> None:
    pod = {**POD, "spec": {**POD["spec"], "securityContext": {"runAsUser": 1000}}}
    assert pods.may_lack_power(pods.with_ephemeral(pod, "dbg", debug(), ""), "dbg")
    assert not pods.may_lack_power(pods.with_ephemeral(pod, "dbg", debug("baseline"), ""), "dbg")
    assert not pods.may_lack_power(pods.with_ephemeral(POD, "dbg", debug(), ""), "dbg")
