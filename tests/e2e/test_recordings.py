"""kctl cluster record and replay with real clusters: what happened in one happens again in another, at once and at its pace."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.clusters import environment_of
from tests.e2e.differential import ROOT
from tests.e2e.live import eventually, kctl

pytestmark = pytest.mark.process


def test_a_recording_becomes_a_cluster_again(solo: Path) -> None:
    file = solo / "bug.recording"
    made = kctl(solo, "cluster", "record", str(file))
    assert made.returncode == 0 and made.stdout.endswith(f"recorded in {file}, without the values of Secrets\n"), made
    again = kctl(solo, "cluster", "record", str(file))
    assert again.stderr == f"error: {file} is there already; recordings are never overwritten\n"
    replayed = kctl(solo, "cluster", "replay", str(file), "bug")
    assert replayed.returncode == 0 and 'cluster "bug" made of the recording of "solo" up to revision' in replayed.stdout, replayed
    for words in (("get", "pods", "-A", "-o", "yaml"), ("history", "deployment/web", "-o", "short")):
        left, right = (kctl(solo, *words, "--cluster", name).stdout for name in ("solo", "bug"))
        assert _without_ages(right) == _without_ages(left) and len(left.splitlines()) > 3
    cut = solo / "cut.recording"
    cut.write_bytes(file.read_bytes()[:-3000])
    assert "plays back what there is" in kctl(solo, "cluster", "replay", str(cut), "other").stderr
    assert kctl(solo, "cluster", "status", "other").returncode == 1

    # it goes on at its pace: nothing is there at first, and in the end all is
    command = [sys.executable, "-m", "kctl", "cluster", "replay", str(file), "film", "--speed", "1000"]
    playing = subprocess.Popen(command, cwd=ROOT, env=environment_of(solo, {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: "web-" in kctl(solo, "get", "pods", "--cluster", "film", "-o", "name").stdout, "the pod is made again")
        told = kctl(solo, "get", "pods", "--cluster", "film", "-o", "json")
        assert json.loads(told.stdout)["items"][0]["metadata"]["uid"]
    finally:
        playing.send_signal(signal.SIGINT)
        out, err = playing.communicate(timeout=60)
    assert playing.returncode == 0 and 'Cluster "film" is ready' in out, (out, err)


def _without_ages(text: str) -> list[str]:
    return [" ".join(word for index, word in enumerate(line.split()) if index != 1) for line in text.splitlines()]
