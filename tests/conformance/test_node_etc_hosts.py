"""The official conformance test of /etc/hosts: a kubelet's file, unless the container mounts one or the pod is on its node's network."""

from __future__ import annotations

import pytest

from kctl.apimachinery.objects import Object
from tests.conformance.running import agnhost, execute
from tests.conformance.suite import PODS, Suite, is_ready, pod, suite

pytestmark = pytest.mark.virtual_time
ORIGINAL = {"name": "host-etc-hosts", "mountPath": "/etc/hosts-original"}
VOLUMES = [{"name": "host-etc-hosts", "hostPath": {"path": "/etc/hosts", "type": "FileOrCreate"}}]


async def is_managed(e2e: Suite, name: str, container: str) -> bool:
    code, shown = await execute(e2e, name, "cat", "/etc/hosts", container=container)
    assert code == 0 and shown
    code, original = await execute(e2e, name, "cat", "/etc/hosts-original", container=container)
    assert code == 0 and original
    return shown.startswith("# Kubernetes-managed hosts file.") and shown != original


async def test_etc_hosts_is_the_kubelets() -> None:
    """[sig-node] KubeletManagedEtcHosts should test kubelet managed /etc/hosts file [NodeConformance] [Conformance]"""
    async with suite(1) as e2e:
        plain: list[Object] = [agnhost(f"busybox-{number}", volumeMounts=[ORIGINAL]) for number in (1, 2)]
        own = agnhost("busybox-3", volumeMounts=[ORIGINAL, {"name": "host-etc-hosts", "mountPath": "/etc/hosts"}])
        await e2e.create(PODS, pod("test-pod", containers=[*plain, own], volumes=VOLUMES))
        await e2e.create(PODS, pod("test-host-network-pod", containers=plain, volumes=VOLUMES, hostNetwork=True, securityContext={}))
        for name in ("test-pod", "test-host-network-pod"):
            await e2e.until(f"{PODS}/{name}", is_ready)
        assert [await is_managed(e2e, "test-pod", f"busybox-{number}") for number in (1, 2, 3)] == [True, True, False]
        assert [await is_managed(e2e, "test-host-network-pod", f"busybox-{number}") for number in (1, 2)] == [False, False]
