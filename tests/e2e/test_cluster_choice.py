"""Which cluster a command talks to: the current one, the one that is named, or none - never another one, and never one that is made up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.clusters import clusters_of, folder_of, start, with_environment
from tests.e2e.differential import ROOT, kubectl_binary
from tests.e2e.live import kctl

pytestmark = pytest.mark.process
NGINX = "manifests/examples/nginx.yaml"


@pytest.mark.parametrize(
    "words",
    [
        ["get", "pods"],
        ["apply", "-f", NGINX],
        ["wait", "pod/x", "--for=delete"],
        ["cluster-info"],
        ["describe", "nodes"],
        ["cluster", "status"],
    ],
    ids=" ".join,
)
def test_where_no_cluster_was_made_a_command_says_how_to_start_one(home: Path, words: list[str]) -> None:
    done = kctl(home, *words)
    expected = "error: no cluster has been made on this machine yet; start one with: kctl run-cluster\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)
    assert not (home / "data").exists()


def test_the_client_alone_needs_no_cluster(home: Path) -> None:
    assert kctl(home, "version", "--client").returncode == 0
    assert kctl(home, "config", "view").returncode == 0
    assert not (home / "data").exists()


def test_the_last_started_is_current_until_another_is_chosen(home: Path) -> None:
    assert "kctl uses it from now on" in start(home, "one").stdout
    assert start(home, "two").returncode == 0

    def node(*words: str) -> str:
        return kctl(home, "get", "nodes", "-o", "name", *words).stdout

    assert node() == "node/two-control-plane\n"
    assert node("--cluster", "one") == node("--context", "kctl-one") == "node/one-control-plane\n"
    assert with_environment(home, {"KCTL_CLUSTER": "one"}, "get", "nodes", "-o", "name").stdout == "node/one-control-plane\n"
    assert kctl(home, "cluster", "use", "one").stdout == 'Switched to cluster "one".\n'
    assert node() == "node/one-control-plane\n"
    listed = [line.split()[:3] for line in kctl(home, "cluster", "list").stdout.splitlines()]
    assert listed == [["CURRENT", "NAME", "STATUS"], ["*", "one", "Running"], ["two", "Running", "1"]]
    unknown = kctl(home, "cluster", "use", "three")
    assert unknown.returncode == 1 and 'cluster "three" does not exist (there are: one, two)' in unknown.stderr
    assert start(home, "three").returncode == 0
    assert kctl(home, "cluster", "delete", "three").returncode == 0
    neither = kctl(home, "get", "nodes")
    assert neither.returncode == 1 and "none of the clusters is the current one (one, two)" in neither.stderr
    assert kctl(home, "cluster", "delete", "two").returncode == 0
    assert node() == "node/one-control-plane\n"


def test_a_kubeconfig_in_the_environment_goes_first_and_the_start_says_so(home: Path) -> None:
    started = with_environment(
        home, {"KUBECONFIG": str(home / "other")}, "run-cluster", "--detach", "--nodes", "1", "--port", "0", "--name", "solo"
    )
    assert "KUBECONFIG is set" in started.stdout and "kctl uses it from now on" not in started.stdout


@pytest.mark.parametrize("name", ["../../victim", "Upper"])
def test_every_name_passes_one_check_whatever_it_comes_from(home: Path, name: str) -> None:
    victim = home / "victim"
    victim.mkdir()
    (victim / "cluster.json").write_text("{}")
    (victim / "state.db").write_text("")
    before = sorted(home.rglob("*"))
    for words in (["run-cluster", "--name", name], ["cluster", "delete", name], ["cluster", "stop", name], ["cluster", "use", name]):
        done = kctl(home, *words)
        assert done.returncode == 1 and "invalid cluster name" in done.stderr, words
    for words in (["get", "pods"], ["run-cluster", "--detach"], ["cluster", "delete"]):
        done = with_environment(home, {"KCTL_CLUSTER": name}, *words)
        assert done.returncode == 1 and "invalid cluster name" in done.stderr and "$KCTL_CLUSTER" in done.stderr, words
    assert kctl(home, "get", "pods", "--cluster", name).stderr == f'error: no server found for cluster "{name}"\n'
    assert sorted(home.rglob("*")) == before


def test_a_kubeconfig_cannot_lead_out_of_the_data_folder(solo: Path) -> None:
    kubeconfig = folder_of(solo, "solo") / "kubeconfig"
    (solo / "copy").write_text(kubeconfig.read_text().replace('cluster: "solo"', 'cluster: "../../victim"'))
    done = with_environment(solo, {"KUBECONFIG": str(solo / "copy")}, "get", "pods")
    assert done.returncode == 1 and "was refused" in done.stderr
    assert clusters_of(solo) == ["solo"] and not (solo / "victim").exists()


@pytest.mark.parametrize("flag", ["--context", "--cluster", "--user"])
@pytest.mark.parametrize("words", ["get pods", "apply -f " + NGINX])
def test_an_unknown_context_is_refused_in_kubectls_words(solo: Path, words: str, flag: str) -> None:
    kubeconfig = str(folder_of(solo, "solo") / "kubeconfig")
    expected = subprocess.run(
        [kubectl_binary(), "--kubeconfig", kubeconfig, flag, "nosuch", *words.split()], capture_output=True, text=True, cwd=ROOT
    )
    for variables in ({"KUBECONFIG": ""}, {"KUBECONFIG": kubeconfig}):
        done = with_environment(solo, variables, flag, "nosuch", *words.split())
        assert (done.returncode, done.stdout, done.stderr) == (1, "", expected.stderr)
    assert clusters_of(solo) == ["solo"]


def test_a_stopped_cluster_is_worked_on_and_named(solo: Path) -> None:
    note = 'Note: cluster "solo" is stopped; this works on its stored state. To start it: kctl run-cluster --name solo\n'
    got = kctl(solo, "get", "deployments", "-o", "name")
    assert (got.returncode, got.stdout, got.stderr) == (0, "deployment.apps/web\n", note)
    copied = solo / "elsewhere"
    shutil.copy(folder_of(solo, "solo") / "kubeconfig", copied)
    for path in (folder_of(solo, "solo") / "kubeconfig", copied):
        variables = {"KUBECONFIG": str(path)}
        applied = with_environment(solo, variables, "apply", "-f", NGINX)
        assert applied.returncode == 0 and applied.stderr == note
        assert with_environment(solo, variables, "get", "service", "nginx", "-o", "name").stdout == "service/nginx\n"


@pytest.mark.parametrize(
    "words",
    [
        ["wait", "pod", "--all", "--for=delete"],
        ["rollout", "status", "deployment/web"],
        ["logs", "deployment/web"],
        ["cluster-info"],
        ["get", "pods", "-w"],
        ["get", "pods", "--watch-only"],
    ],
    ids=" ".join,
)
def test_what_needs_a_running_cluster_says_that_none_runs(solo: Path, words: list[str]) -> None:
    done = kctl(solo, *words, timeout=20)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith('error: cluster "solo" is not running, and "kctl ')
    assert done.stderr.endswith("needs a running one; start it with: kctl run-cluster --name solo\n")


def test_a_pod_deleted_with_nothing_running_is_not_waited_for(solo: Path) -> None:
    done = kctl(solo, "delete", "pod", "-l", "app=web", timeout=20)
    assert done.returncode == 0 and "is marked for deletion and goes when the cluster runs" in done.stderr


def test_only_the_administrator_works_on_a_stopped_cluster(solo: Path) -> None:
    kubeconfig = folder_of(solo, "solo") / "kubeconfig"
    text = kubeconfig.read_text()
    (solo / "other").write_text(text[: text.index("    client-certificate-data")] + "    token: abc\n")
    done = with_environment(solo, {"KUBECONFIG": str(solo / "other")}, "get", "pods")
    assert done.returncode == 1 and "only its administrator can work on it" in done.stderr


def test_after_delete_the_message_names_the_cluster_that_is_gone(solo: Path) -> None:
    kubeconfig = folder_of(solo, "solo") / "kubeconfig"
    copied = solo / "elsewhere"
    shutil.copy(kubeconfig, copied)
    assert kctl(solo, "cluster", "delete").returncode == 0
    for path in (kubeconfig, copied):
        for done in (
            with_environment(solo, {"KUBECONFIG": str(path)}, "get", "pods"),
            kctl(solo, "--kubeconfig", str(path), "get", "pods"),
        ):
            assert done.returncode == 1 and 'cluster "solo" of ' in done.stderr and "does not exist any more" in done.stderr
    assert "no cluster has been made" in kctl(solo, "get", "pods").stderr
    assert clusters_of(solo) == []


def test_a_store_without_settings_is_a_cluster_too(solo: Path) -> None:
    """Commands made such stores when nothing ran."""
    old = folder_of(solo, "old")
    old.mkdir()
    shutil.copy(folder_of(solo, "solo") / "state.db", old / "state.db")
    assert kctl(solo, "cluster", "list", "-o", "name").stdout == "old\nsolo\n"
    assert kctl(solo, "--cluster", "old", "get", "deployments", "-o", "name").stdout == "deployment.apps/web\n"
    assert kctl(solo, "cluster", "delete", "old").stdout == 'cluster "old" deleted\n'
    assert clusters_of(solo) == ["solo"]


def test_a_read_only_folder_is_said_plainly(solo: Path) -> None:
    """Root may write everywhere, unless it gives that up."""
    folder = folder_of(solo, "solo")
    command = [sys.executable, "-m", "kctl", "get", "pods"]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    environment = {**os.environ, "XDG_DATA_HOME": str(solo / "data"), "HOME": str(solo), "PYTHONPATH": str(ROOT), "KUBECONFIG": ""}
    try:
        for one in (folder, *folder.rglob("*")):
            one.chmod(0o500 if one.is_dir() else 0o400)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    finally:
        folder.chmod(0o700)
    assert done.returncode == 1
    assert done.stderr == f'error: cluster "solo" cannot be opened: {folder}/run.pid: permission denied\n'
