"""What the comparison with kubectl does not show: bounds, links, what is refused, where the result goes, and -k."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from kctl.apimachinery.yaml import load
from kctl.cli.errors import CommandError
from kctl.cli.kustomize import loader
from kctl.cli.kustomize.build import build
from kctl.cli.main import run
from kctl.cli.session import Session, Streams
from tests.kctl.cli.kustomize.test_against_kubectl import by_kctl, by_kubectl

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"


def kustomization(folder: Path, text: str, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(text)
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(content)
    return folder


WRONG = [
    "patches: [{path: 3}]",
    "patches: [{target: {kind: 3}}]",
    "patches: [{options: {a: 3}}]",
    "patches: [{options: 3}]",
    "patches: [3]",
    "replicas: [{count: a}]",
    "labels: [{fields: [{kind: 3}]}]",
    "configMapGenerator: [{literals: [3]}]",
    "configMapGenerator: [{options: {labels: 3}}]",
    "secretGenerator: 3",
    "vars: [{objref: {kind: 3}}]",
    "replacements: [{source: {name: 3}}]",
    "replacements: [{targets: 3}]",
    "replacements: [{source: {options: {index: a}}}]",
    "sortOptions: {order: 3}",
    "openapi: 3",
    "metadata: {labels: 3}",
    "commonLabels: {a: 3}",
    "kind: 3",
    "patchesStrategicMerge: [3]",
    "[a]",
]


@pytest.mark.kubectl
@pytest.mark.parametrize("text", WRONG)
def test_fields_of_wrong_types_are_named_as_kubectl_names_them(text: str, tmp_path: Path) -> None:
    folder = str(kustomization(tmp_path, text))
    assert by_kctl(folder) == by_kubectl(folder)


@pytest.mark.parametrize(
    "path",
    ["https://example.com/base", "github.com/org/repo", "git@example.com:org/repo.git", "ssh://example.com/x", "org/repo?ref=v1"],
)
def test_bases_elsewhere_are_refused_by_name(path: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="remote kustomizations and resources are not supported"):
        build(str(kustomization(tmp_path, f'resources: ["{path}"]')))


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(POD)
    folder = kustomization(tmp_path / "app", "resources: [link.yaml]")
    (folder / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    with pytest.raises(CommandError, match=r"security; file .*outside\.yaml' is not in or below"):
        build(str(folder))
    assert [obj["kind"] for obj in build(str(folder), restrictor=loader.UNRESTRICTED)] == ["Pod"]


def test_a_link_to_itself_ends(tmp_path: Path) -> None:
    folder = kustomization(tmp_path, "resources: [loop.yaml]")
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    with pytest.raises(CommandError, match=r"loop\.yaml"):
        build(str(folder))


def test_bases_nest_so_deep_and_no_deeper(tmp_path: Path) -> None:
    for depth in range(loader.MAX_DEPTH + 2):
        kustomization(tmp_path / f"b{depth}", f"resources: [../b{depth + 1}]")
    with pytest.raises(CommandError, match=f"bases may nest {loader.MAX_DEPTH} deep"):
        build(str(tmp_path / "b0"))


def test_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_FILE_BYTES", 100)
    folder = kustomization(tmp_path, "configMapGenerator: [{name: c, files: [big.yaml]}]", big="x" * 101)
    with pytest.raises(CommandError, match=r"'big\.yaml' is too large"):
        build(str(folder))


def test_bases_read_again_and_again_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_TOTAL_BYTES", 2000)
    for depth in range(12):
        both = "\n".join(f"- ../b{depth + 1}/{side}" for side in ("l", "r")) if depth < 11 else "- pod.yaml"
        for side in ("l", "r"):
            kustomization(
                tmp_path / f"b{depth}" / side, "resources:\n" + both.replace("../", "../../") + f"\nnamePrefix: {side}-\n", pod=POD
            )
    with pytest.raises(CommandError, match="is too large"):
        build(str(tmp_path / "b0" / "l"))


def test_the_result_goes_to_a_file_or_into_a_folder(tmp_path: Path) -> None:
    app = kustomization(tmp_path / "app", "resources: [pod.yaml]\nnamespace: nn\n", pod=POD)
    assert by_kctl(str(app), "-o", str(tmp_path / "out.yaml")).out == ""
    assert load((tmp_path / "out.yaml").read_text())["metadata"] == {"name": "p", "namespace": "nn"}
    (tmp_path / "out").mkdir()
    by_kctl(str(app), "-o", str(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["v1_pod_p.yaml"]


@pytest.mark.parametrize("flags", [("--enable-helm",), ("--network",), ("--enable-alpha-plugins",), ("--mount", "a"), ("-e", "A=b")])
def test_what_runs_programs_is_refused_by_name(flags: tuple[str, ...], tmp_path: Path) -> None:
    outcome = by_kctl(str(kustomization(tmp_path, "resources: []")), *flags)
    assert outcome.code == 1
    assert "is not supported: kctl runs no charts, plugins or functions" in outcome.err


def test_commands_take_a_kustomization(tmp_path: Path) -> None:
    folder = kustomization(tmp_path, "resources: [pod.yaml]\nnamePrefix: my-\n", pod=POD)
    streams = Streams(io.StringIO(), io.StringIO(), io.StringIO())
    code = run(
        ["label", "-k", str(folder), "a=b", "--local", "-s", "http://127.0.0.1:1", "-o", "jsonpath={.metadata.name} {.metadata.labels.a}"],
        Session(streams),
    )
    assert (code, streams.out.getvalue(), streams.err.getvalue()) == (0, "my-p b", "")
