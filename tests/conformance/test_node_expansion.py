"""The official conformance tests of $(NAME): in variables, commands, arguments and paths of volumes."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.running import busybox, execute, once, phase_is, writes
from tests.conformance.suite import PODS, Suite, is_ready, suite

pytestmark = pytest.mark.virtual_time
NAME = "var-expansion"


def variables(**values: str) -> list[Object]:
    return [{"name": name, "value": value} for name, value in values.items()]


def expanding(*command: str, env: list[Object], annotations: Object | None = None, **more: Any) -> Object:
    volumes = [{"name": "workdir1", "emptyDir": {}}] if "volumeMounts" in more else []
    made = once(NAME, busybox("dapi-container", *command, env=env, **more), volumes=volumes)
    return objects.with_metadata(made, annotations=annotations or {}, labels={"name": NAME})


async def test_variables_of_variables() -> None:
    """[sig-node] Variable Expansion should allow composing env vars into new env vars [NodeConformance] [Conformance]"""
    async with suite(1) as e2e:
        env = variables(FOO="foo-value", BAR="bar-value", FOOBAR="$(FOO);;$(BAR)")
        await writes(e2e, expanding("sh", "-c", "env", env=env), "FOO=foo-value", "BAR=bar-value", "FOOBAR=foo-value;;bar-value")


@pytest.mark.parametrize("given", [{"command": True}, {"args": True}], ids=["command", "args"])
async def test_commands_with_variables(given: Object) -> None:
    """[sig-node] Variable Expansion should allow substituting values in a container's command [NodeConformance] [Conformance]
    [sig-node] Variable Expansion should allow substituting values in a container's args [NodeConformance] [Conformance]
    """
    script = 'TEST_VAR=wrong echo "$(TEST_VAR)"'
    env = variables(TEST_VAR="test-value")
    made = expanding("sh", "-c", env=env, args=[script]) if "args" in given else expanding("sh", "-c", script, env=env)
    async with suite(1) as e2e:
        await writes(e2e, made, "test-value")


def mounts(path: str, expression: str, whole: str = "") -> list[Object]:
    made = [{"name": "workdir1", "mountPath": path, "subPathExpr": expression}]
    return [*made, {"name": "workdir1", "mountPath": whole}] if whole else made


async def test_a_path_in_a_volume() -> None:
    """[sig-node] Variable Expansion should allow substituting values in a volume subpath [Conformance]"""
    async with suite(1) as e2e:
        script = f"test -d /testcontainer/{NAME};echo $?"
        env = variables(POD_NAME=NAME)
        made = expanding("sh", "-c", script, env=env, volumeMounts=mounts("/logscontainer", "$(POD_NAME)", "/testcontainer"))
        await writes(e2e, made, "0")


@pytest.mark.parametrize("path", ["..", "/tmp"], ids=["backticks", "absolute"])
async def test_a_path_that_leaves_its_volume(path: str) -> None:
    """[sig-node] Variable Expansion should fail substituting values in a volume subpath with backticks [Conformance]
    [sig-node] Variable Expansion should fail substituting values in a volume subpath with absolute path [Conformance]
    """
    async with suite(1) as e2e:
        await e2e.create(PODS, expanding(env=variables(POD_NAME=path), volumeMounts=mounts("/logscontainer", "$(POD_NAME)")))
        await e2e.until(f"{PODS}/{NAME}", lambda made: waiting_for(made) == "CreateContainerConfigError")
        await e2e.delete(f"{PODS}/{NAME}")
        await e2e.gone(f"{PODS}/{NAME}")


def waiting_for(made: Object) -> str:
    statuses = made["status"].get("containerStatuses") or [{"state": {}}]
    return str((statuses[0]["state"].get("waiting") or {}).get("reason"))


def annotated(annotations: Object) -> Object:
    env = [
        *variables(POD_NAME="foo"),
        {"name": "ANNOTATION", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.annotations['mysubpath']"}}},
    ]
    mounted = mounts("/subpath_mount", "$(ANNOTATION)/$(POD_NAME)", "/volume_mount")
    return expanding("sh", "-c", "tail -f /dev/null", env=env, annotations=annotations, volumeMounts=mounted)


async def annotate(e2e: Suite, value: str) -> None:
    def change(made: Object) -> Object:
        return objects.with_metadata(made, annotations={**objects.annotations(made), "mysubpath": value})

    await e2e.update_until(f"{PODS}/{NAME}", change)


async def test_a_path_that_fails_until_it_is_changed() -> None:
    """[sig-node] Variable Expansion should verify that a failing subpath expansion can be modified during the lifecycle of a container [Slow] [Conformance]"""  # noqa: E501
    async with suite(1) as e2e:
        await e2e.create(PODS, annotated({"notmysubpath": "mypath"}))
        await e2e.settle(120)
        assert (await e2e.get(f"{PODS}/{NAME}"))["status"]["phase"] == "Pending"
        await annotate(e2e, "mypath")
        await e2e.until(f"{PODS}/{NAME}", phase_is("Running"), 120)
        await e2e.delete(f"{PODS}/{NAME}")
        await e2e.gone(f"{PODS}/{NAME}")


async def test_files_below_a_path() -> None:
    """[sig-node] Variable Expansion should succeed in writing subpaths in container [Conformance]"""
    async with suite(1) as e2e:
        await e2e.create(PODS, annotated({"mysubpath": "mypath"}))
        await e2e.until(f"{PODS}/{NAME}", is_ready)
        assert await execute(e2e, NAME, "/bin/sh", "-c", "touch /volume_mount/mypath/foo/test.log") == (0, "")
        assert await execute(e2e, NAME, "/bin/sh", "-c", "test -f /subpath_mount/test.log") == (0, "")
        await annotate(e2e, "mynewpath")
        await e2e.until(f"{PODS}/{NAME}", phase_is("Running"))
        await e2e.delete(f"{PODS}/{NAME}")
        await e2e.gone(f"{PODS}/{NAME}")
