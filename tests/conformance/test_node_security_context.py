"""The official conformance tests of security contexts: who a container runs as, what it may, its sysctls."""

from __future__ import annotations

import pytest

from kctl.apimachinery.objects import Object
from tests.conformance.running import busybox, log, once, output, phase_is, writes
from tests.conformance.suite import PODS, container, suite

pytestmark = pytest.mark.virtual_time
NONEWPRIVS = "registry.k8s.io/e2e-test-images/nonewprivs:1.4"
NONROOT = "registry.k8s.io/e2e-test-images/nonroot:1.4"


async def test_a_container_has_the_user_it_asks_for() -> None:
    """[sig-node] Security Context When creating a container with runAsUser should run the container with uid 65534 [LinuxOnly] [NodeConformance] [Conformance]"""  # noqa: E501
    async with suite(1) as e2e:
        script = "test $(id -u) -eq 65534"
        await output(e2e, once("busybox-user", busybox("c", "sh", "-c", script, securityContext={"runAsUser": 65534})))


async def test_user_and_group_of_pods_and_containers() -> None:
    """[sig-node] Security Context should support pod.Spec.SecurityContext.RunAsUser And pod.Spec.SecurityContext.RunAsGroup [LinuxOnly] [Conformance]
    [sig-node] Security Context should support container.SecurityContext.RunAsUser And container.SecurityContext.RunAsGroup [LinuxOnly] [Conformance]
    """  # noqa: E501
    async with suite(1) as e2e:
        of_pod = {"runAsUser": 1001, "runAsGroup": 2002}
        await writes(e2e, once("p", busybox("test-container", "sh", "-c", "id"), securityContext=of_pod), "uid=1001", "gid=2002")
        own = {"runAsUser": 1002, "runAsGroup": 2002}
        made = busybox("test-container", "sh", "-c", "id", securityContext=own)
        await writes(e2e, once("p", made, securityContext={"runAsUser": 1001, "runAsGroup": 2001}), "uid=1002", "gid=2002")


async def test_a_writable_root() -> None:
    """[sig-node] Security Context When creating a pod with readOnlyRootFilesystem should run the container with writable rootfs when readOnlyRootFilesystem=false [NodeConformance] [Conformance]"""  # noqa: E501
    async with suite(1) as e2e:
        made = busybox("c", "sh", "-c", "touch checkfile", securityContext={"readOnlyRootFilesystem": False})
        await output(e2e, once("busybox-readonly-false", made))
        made = busybox("c", "sh", "-c", "touch checkfile", securityContext={"readOnlyRootFilesystem": True})
        await e2e.create(PODS, once("busybox-readonly-true", made))
        await e2e.until(f"{PODS}/busybox-readonly-true", phase_is("Failed"))


@pytest.mark.parametrize("privileged", [False, True])
async def test_privileges(privileged: bool) -> None:
    """[sig-node] Security Context When creating a pod with privileged should run the container as unprivileged when false [LinuxOnly] [NodeConformance] [Conformance]"""  # noqa: E501
    async with suite(1) as e2e:
        made = busybox("c", "sh", "-c", "ip link add dummy0 type dummy || true", securityContext={"privileged": privileged})
        written = await output(e2e, once("busybox-privileged", made))
        assert ("Operation not permitted" in written) is not privileged


@pytest.mark.parametrize(("allowed", "uid"), [(False, 1000), (True, 0), (None, 0)])
async def test_privileges_do_not_grow(allowed: bool | None, uid: int) -> None:
    """[sig-node] Security Context when creating containers with AllowPrivilegeEscalation should not allow privilege escalation when false [LinuxOnly] [NodeConformance] [Conformance]"""  # noqa: E501
    context: Object = {"runAsUser": 1000, **({} if allowed is None else {"allowPrivilegeEscalation": allowed})}
    async with suite(1) as e2e:
        await writes(e2e, once("alpine-nnp", container("c", NONEWPRIVS, securityContext=context)), f"Effective uid: {uid}")


async def test_sysctls() -> None:
    """[sig-node] Sysctls [LinuxOnly] [NodeConformance] should support sysctls [Environment:NotInUserNS] [Conformance]"""
    async with suite(1) as e2e:
        context = {"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]}
        made = once("sysctl", busybox("test-container", "/bin/sysctl", "kernel.shm_rmid_forced"), securityContext=context)
        await e2e.create(PODS, made)
        await e2e.until(f"{PODS}/sysctl", phase_is("Succeeded", "Failed"))
        assert (await e2e.get(f"{PODS}/sysctl"))["status"]["phase"] == "Succeeded"
        assert "kernel.shm_rmid_forced = 1" in await log(e2e, "sysctl", "test-container")
        assert [each for each in await e2e.events_of("sysctl") if "rror" in each[1] or "Failed" in each[0]] == []


async def test_sysctls_that_the_node_does_not_allow() -> None:
    async with suite(1) as e2e:
        context = {"sysctls": [{"name": "kernel.msgmax", "value": "10000000000"}]}
        await e2e.create(PODS, once("sysctl", busybox("test-container"), securityContext=context))
        made = await e2e.until(f"{PODS}/sysctl", phase_is("Failed"))
        assert made["status"]["reason"] == "SysctlForbidden"
        assert made["status"]["message"] == 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted'


async def test_containers_that_must_not_run_as_root() -> None:
    async with suite(1) as e2e:
        for image, context in ((NONROOT, {"runAsUser": 0}), ("busybox:1", {})):
            made = container("c", image, command=["id", "-u"], securityContext={"runAsNonRoot": True, **context})
            await e2e.create(PODS, once("p", made))
            made = await e2e.until(
                f"{PODS}/p", lambda each: "waiting" in (each["status"].get("containerStatuses") or [{"state": {}}])[0]["state"]
            )
            waiting = made["status"]["containerStatuses"][0]["state"]["waiting"]
            assert waiting["reason"] == "CreateContainerConfigError", waiting
            why = "container's runAsUser breaks non-root policy" if context else "container has runAsNonRoot and image will run as root"
            assert waiting["message"].startswith(f"{why} (pod: ") and waiting["message"].endswith(", container: c)")
            assert ("Failed", f"Error: {waiting['message']}") in await e2e.events_of("p")
            await e2e.delete(f"{PODS}/p", gracePeriodSeconds=0)
            await e2e.gone(f"{PODS}/p")
        for context in ({"runAsUser": 1000}, {}):
            image = "busybox:1" if context else NONROOT
            made = container("c", image, command=["id", "-u"], securityContext={"runAsNonRoot": True, **context})
            await writes(e2e, once("p", made), "1000" if context else "1234")
