"""Images from OCI layouts and tarballs: layers over one another, what hides in them, configuration, and containers that run in them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from controllers.kubelet.process_runtime import image_map
from controllers.kubelet.process_runtime.oci_image import InvalidImage, unpack, user_of
from kctl.apimachinery import objects
from tests.controllers.kubelet.process_runtime.cluster import process_cluster, state

pytestmark = [pytest.mark.real_time]
NAME = "docker.io/library/ours:1"


def layer(*entries: tuple[str, Any]) -> bytes:
    """Name > text of a file, ('->', target) of a link, ('=', target) of a hard link, None for a folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.mode = 0o755
            if content is None:
                member.type = tarfile.DIRTYPE
            elif isinstance(content, tuple):
                member.type = tarfile.SYMTYPE if content[0] == "->" else tarfile.LNKTYPE
                member.linkname = content[1]
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content.encode()) if isinstance(content, str) else None)
    return made.getvalue()


def layout(folder: Path, layers: list[bytes], config: dict[str, Any] | None = None) -> Path:
    (folder / "blobs" / "sha256").mkdir(parents=True)

    def blob(data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (folder / "blobs" / "sha256" / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    described = blob(json.dumps({"config": config or {}}).encode())
    manifest = blob(json.dumps({"config": described, "layers": [blob(each) for each in layers]}).encode())
    (folder / "index.json").write_text(json.dumps({"manifests": [manifest]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def tarball(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        for each in sorted(folder.rglob("*")):
            tar.add(each, str(each.relative_to(folder)), recursive=False)
    return path


def test_layers_lie_over_one_another(tmp_path: Path) -> None:
    lower = layer(("etc", None), ("etc/a", "a"), ("etc/b", "b"), ("full", None), ("full/x", "x"), ("gone", "g"), ("again", ("=", "etc/a")))
    upper = layer(("etc/.wh.b", ""), ("full/.wh..wh..opq", ""), ("full/y", "y"), (".wh.gone", ""), ("link", ("->", "etc")), ("link/c", "c"))
    root = unpack(layout(tmp_path / "image", [lower, upper]), tmp_path / "cache").root
    found = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file() and "link" not in path.parts}
    assert found == {"etc/a": "a", "etc/c": "c", "full/y": "y", "again": "a"}
    assert os.readlink(root / "link") == "etc"


def test_a_tarball_is_the_same_and_is_unpacked_once(tmp_path: Path) -> None:
    config = {"Entrypoint": ["sh"], "Cmd": ["-c", "true"], "Env": ["A=b=c"], "WorkingDir": "/srv", "User": "1000:7"}
    path = tarball(layout(tmp_path / "image", [layer(("a", "1"))], config), tmp_path / "image.tar")
    found = unpack(path, tmp_path / "cache")
    assert (found.entrypoint, found.command, found.env, found.working_directory) == (("sh",), ("-c", "true"), {"A": "b=c"}, "/srv")
    assert user_of(found) == (1000, 7)
    (found.root / "a").write_text("2")
    assert (unpack(path, tmp_path / "cache").root / "a").read_text() == "2"


def test_what_older_dockers_save(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    (saved / "1").mkdir(parents=True)
    (saved / "1" / "layer.tar").write_bytes(layer(("a", "1")))
    (saved / "c.json").write_text(json.dumps({"config": {"Cmd": ["x"]}}))
    (saved / "manifest.json").write_text(json.dumps([{"Config": "c.json", "Layers": ["1/layer.tar"]}]))
    found = unpack(tarball(saved, tmp_path / "saved.tar"), tmp_path / "cache")
    assert found.command == ("x",) and (found.root / "a").read_text() == "1"


def test_nothing_is_written_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    bad = layer(("out", ("->", str(outside))), ("out/f", "1"), ("../../g", "2"), ("/abs", "3"))
    root = unpack(layout(tmp_path / "image", [bad]), tmp_path / "cache").root
    assert not os.listdir(outside) and sorted(os.listdir(tmp_path)) == ["cache", "image", "outside"]
    assert (root / "abs").read_text() == "3" and (root / str(outside).lstrip("/") / "f").read_text() == "1"


def test_users_by_name(tmp_path: Path) -> None:
    files = layer(("etc/passwd", "root:x:0:0::/:\nweb:x:101:102::/:\n"), ("etc/group", "web:x:102:\nlog:x:4:\n"))
    for user, ids in (("web", (101, 102)), ("web:log", (101, 4)), ("", (0, 0)), ("101", (101, 102))):
        image = layout(tmp_path / f"image-{user or 'none'}", [files], {"User": user})
        assert user_of(unpack(image, tmp_path / "cache")) == ids
    with pytest.raises(InvalidImage, match="unable to find user nobody"):
        user_of(unpack(layout(tmp_path / "image", [files], {"User": "nobody"}), tmp_path / "cache"))


@pytest.mark.parametrize("damage", ["index.json", "blobs"])
def test_a_damaged_image_is_refused_and_leaves_nothing(tmp_path: Path, damage: str) -> None:
    image = layout(tmp_path / "image", [layer(("a", "1")), b"no tarball"])
    if damage == "index.json":
        (image / "index.json").write_text("{")
    with pytest.raises(InvalidImage):
        unpack(image, tmp_path / "cache")
    assert not (tmp_path / "cache").exists() or not os.listdir(tmp_path / "cache")


def test_another_architecture(tmp_path: Path) -> None:
    image = layout(tmp_path / "image", [layer(("a", "1"))])
    index = json.loads((image / "index.json").read_text())
    index["manifests"][0]["platform"] = {"os": "linux", "architecture": "s390x"}
    (image / "index.json").write_text(json.dumps(index))
    with pytest.raises(InvalidImage, match="has no image for linux/"):
        unpack(image, tmp_path / "cache")


def test_what_runs_of_an_image() -> None:
    root = image_map.ImageRoot("/x", ("entry",), ("default",))
    assert root.words({}) == ["entry", "default"]
    assert root.words({"args": ["a"]}) == ["entry", "a"]
    assert root.words({"command": ["c"]}) == ["c"]
    assert root.words({"command": ["c"], "args": ["a"]}) == ["c", "a"]


@pytest.mark.process
async def test_a_container_in_an_image(tmp_path: Path) -> None:
    files = layer(
        ("srv/name", "ours\n"), ("usr", None), ("bin", ("->", "usr/bin")), ("lib", ("->", "usr/lib")), ("lib64", ("->", "usr/lib64"))
    )
    config = {"Entrypoint": ["sh", "-c"], "Cmd": ["cat name; echo $COLOUR"], "Env": ["COLOUR=red", "PATH=/usr/bin"], "WorkingDir": "/srv"}
    images = {NAME: str(layout(tmp_path / "image", [files], config))}
    async with process_cluster(tmp_path / "processes", images=images) as cluster:
        mounts = [{"name": "usr", "mountPath": "/usr", "readOnly": True}]
        volumes = [{"name": "usr", "hostPath": {"path": "/usr"}}]
        await cluster.create({"name": "c", "image": "ours:1", "volumeMounts": mounts}, volumes=volumes)
        pod = await cluster.ended()
        assert await cluster.logs() == "ours\nred\n"
        assert objects.status(pod)["containerStatuses"][0]["imageID"].startswith("docker.io/library/ours@sha256:")
        assert {"Pulling", "Pulled"} <= {reason for reason, _ in await cluster.events()}


@pytest.mark.process
async def test_an_image_that_cannot_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(b"no tarball")
    async with process_cluster(tmp_path / "processes", images={NAME: str(tmp_path / "image.tar")}) as cluster:
        await cluster.create({"name": "c", "image": "ours:1"})
        pod = await cluster.until(lambda pod: (state(pod).get("waiting") or {}).get("reason") == "ErrImagePull")
        assert "is neither an OCI layout nor a tarball" in state(pod)["waiting"]["message"]
