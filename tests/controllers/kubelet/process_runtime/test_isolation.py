"""What containers get of namespaces, by what the machine allows; whatever that is, their volumes can be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controllers.kubelet.process_runtime import rootfs
from tests.controllers.kubelet.process_runtime.cluster import container, process_cluster, state

pytestmark = [pytest.mark.real_time, pytest.mark.process]


async def test_a_user_namespace(tmp_path: Path) -> None:
    async with process_cluster(tmp_path, isolation="user") as cluster:
        await cluster.config_map("settings", {"a": "1"})
        mounts = [{"name": "v", "mountPath": "/etc/settings"}, {"name": "e", "mountPath": "/data"}]
        await cluster.create(
            container("cat /etc/settings/a; echo x > /data/f && cat /data/f; id -u; hostname", volumeMounts=mounts),
            volumes=[{"name": "v", "configMap": {"name": "settings"}}, {"name": "e", "emptyDir": {}}],
            hostname="web",
        )
        await cluster.ended()
        assert await cluster.logs() == f"1x\n{os.getuid()}\nweb\n"


async def test_no_namespace(tmp_path: Path) -> None:
    async with process_cluster(tmp_path, isolation="none") as cluster:
        await cluster.config_map("settings", {"a": "1"})
        mounts = [{"name": "v", "mountPath": "/etc/settings"}, {"name": "e", "mountPath": "/data"}]
        script = (
            "cat $KCTL_ROOT/etc/settings/a; echo x > $KCTL_ROOT/data/f; cat $KCTL_ROOT/data/f; printf m > $KCTL_ROOT/dev/termination-log"
        )
        await cluster.create(
            container(script, volumeMounts=mounts),
            volumes=[{"name": "v", "configMap": {"name": "settings"}}, {"name": "e", "emptyDir": {}}],
        )
        pod = await cluster.ended()
        assert await cluster.logs() == "1x\n"
        assert state(pod)["terminated"]["message"] == "m"


async def test_an_image_needs_a_mount_namespace(tmp_path: Path) -> None:
    root = tmp_path / "image"
    root.mkdir()
    images = {"docker.io/library/busybox:latest": str(root)}
    async with process_cluster(tmp_path / "processes", images=images, isolation="none") as cluster:
        await cluster.create(container("true"))
        assert "needs a mount namespace" in state(await cluster.ended())["terminated"]["message"]


@pytest.mark.parametrize("isolation", ["mounts", "user"])
async def test_the_root_of_an_image(tmp_path: Path, isolation: str) -> None:
    root = tmp_path / "image"
    for name in ("usr", "bin", "lib", "lib64"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(f"/host/{name}") if name != "usr" else (root / "usr").mkdir()
    (root / "etc").mkdir()
    (root / "etc" / "release").write_text("ours\n")
    images = {"docker.io/library/busybox:latest": str(root)}
    mounts = [{"name": "host", "mountPath": "/host/usr"}]
    for name in ("bin", "lib", "lib64"):
        (root / name).unlink()
        (root / name).symlink_to(f"host/usr/{name}")
    async with process_cluster(tmp_path / "processes", images=images, isolation=isolation) as cluster:
        await cluster.create(
            container("cat /etc/release; echo x > /etc/written; ls /", volumeMounts=mounts),
            volumes=[{"name": "host", "hostPath": {"path": "/usr"}}],
        )
        await cluster.ended()
        assert (await cluster.logs()).split() == ["ours", "bin", "dev", "etc", "host", "lib", "lib64", "proc", "run", "sys", "tmp", "usr"]
        assert not (root / "etc" / "written").exists()


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a/b", "a/b"),
        ("/link/b", "a/b"),
        ("/absolute/b", "a/b"),
        ("/out/b", "b"),
        ("/a/../../../b", "b"),
        ("/", ""),
    ],
)
def test_links_are_followed_inside_the_root(tmp_path: Path, path: str, found: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "absolute").symlink_to("/a")
    (tmp_path / "out").symlink_to("../../..")
    assert rootfs.resolve(str(tmp_path), path) == os.path.join(str(tmp_path), found).rstrip("/")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        rootfs.resolve(str(tmp_path), "/a/c")
