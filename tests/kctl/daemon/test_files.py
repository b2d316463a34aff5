"""What the daemon keeps on disk: folders, settings, lock, certificates, logs."""

from __future__ import annotations

import asyncio
import logging
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from kctl.apimachinery.clock import FakeClock, VirtualClock
from kctl.client import kubeconfig, plain_yaml
from kctl.daemon import admin_kubeconfig, logs, pki
from kctl.daemon.api_server_config import api_server_config
from kctl.daemon.config import ClusterConfig
from kctl.daemon.lock import AlreadyServed, ClusterLock, holder
from kctl.daemon.paths import ClusterPaths, clusters, valid_cluster_name

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_DATA_HOME": "/data", "HOME": "/home/u"}, "/data/kctl/dev"),
        ({"HOME": "/home/u"}, "/home/u/.local/share/kctl/dev"),
    ],
)
def test_where_a_cluster_lives(environment: dict[str, str], expected: str) -> None:
    assert str(ClusterPaths.of("dev", environment).directory) == expected


@pytest.mark.parametrize(
    ("name", "valid"),
    [(name, True) for name in ("kctl", "a-1", "9", "a" * 63)]
    + [(name, False) for name in ("", "A", "../x", "-a", "a-", "a.b", "a/b", ".", "..", "a\n", "a\0", "ä", "a" * 64)],
)
def test_cluster_names(name: str, valid: bool) -> None:
    assert valid_cluster_name(name) is valid


def test_clusters_are_found_by_their_settings(tmp_path: Path) -> None:
    environment = {"XDG_DATA_HOME": str(tmp_path)}
    (tmp_path / "kctl" / "not-a-cluster").mkdir(parents=True)
    ClusterConfig("two").save(ClusterPaths.of("two", environment).settings)
    assert [paths.name for paths in clusters(environment)] == ["two"]


def test_settings_survive_and_newer_fields_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "c" / "cluster.json"
    assert ClusterConfig.load(path) is None
    ClusterConfig("c", nodes=7).save(path)
    path.write_text(path.read_text().replace("{", '{"fromTheFuture": 1,', 1))
    assert ClusterConfig.load(path) == ClusterConfig("c", nodes=7)


def test_the_lock_admits_one_process_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "run.pid"
    program = (
        "import sys; from pathlib import Path; from kctl.daemon.lock import ClusterLock; lock = ClusterLock(Path(sys.argv[1]));"
        "lock.acquire(); lock.publish('https://x'); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdin is not None
    assert child.stdout.readline() == b"held\n"
    with pytest.raises(AlreadyServed) as caught:
        ClusterLock(path).acquire()
    assert caught.value.holder.process_id == child.pid
    found = holder(path)
    assert found is not None and found.server == "https://x"
    child.kill()
    child.communicate()
    assert holder(path) is None
    with ClusterLock(path):
        pass


def test_certificates_are_made_once_and_chain_to_the_authority(tmp_path: Path) -> None:
    made = pki.ensure(tmp_path / "pki", now=NOW, hosts=["myhost", "192.0.2.1"])
    before = {file.name: file.read_bytes() for file in made.directory.iterdir()}
    pki.ensure(tmp_path / "pki", now=NOW, hosts=[])
    assert before == {file.name: file.read_bytes() for file in made.directory.iterdir()}
    authority = x509.load_pem_x509_certificate(before["ca.crt"])
    server = x509.load_pem_x509_certificate(before["apiserver.crt"])
    server.verify_directly_issued_by(authority)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "myhost", "kubernetes.default.svc"} <= set(names.get_values_for_type(x509.DNSName))
    admin = x509.load_pem_x509_certificate(before["admin.crt"])
    assert admin.subject.rfc4514_string() == "CN=kubernetes-admin,O=system:masters"
    assert (made["ca.key"].stat().st_mode & 0o777) == 0o600
    ssl.create_default_context(cafile=str(made["ca.crt"])).load_cert_chain(made["admin.crt"], made["admin.key"])


def test_keys_of_an_older_kctl_get_those_of_the_front_proxy(tmp_path: Path) -> None:
    made = pki.ensure(tmp_path / "pki", now=NOW, hosts=[])
    others = {name: made[name].read_bytes() for name in pki.FILES}
    for name in pki.FRONT_PROXY_FILES:
        made[name].unlink()
    assert not api_server_config(made, "127.0.0.1").requestheader_client_ca
    pki.ensure(tmp_path / "pki", now=NOW, hosts=[]).check()
    assert others == {name: made[name].read_bytes() for name in pki.FILES} and not (tmp_path / pki.UNFINISHED).exists()
    client = x509.load_pem_x509_certificate(made["front-proxy-client.crt"].read_bytes())
    client.verify_directly_issued_by(x509.load_pem_x509_certificate(made["front-proxy-ca.crt"].read_bytes()))
    assert client.subject.rfc4514_string() == "CN=front-proxy-client"
    assert api_server_config(made, "127.0.0.1").proxy_client_certificate == made["front-proxy-client.crt"].read_bytes()


def test_kubeconfig_is_private_and_names_the_context(tmp_path: Path) -> None:
    paths = ClusterPaths(tmp_path / "dev")
    made = pki.ensure(paths.pki, now=NOW, hosts=[])
    admin_kubeconfig.write(paths, "https://127.0.0.1:1", made)
    assert "current-context: kctl-dev\n" in paths.kubeconfig.read_text()
    assert (paths.kubeconfig.stat().st_mode & 0o777) == 0o600


def test_what_a_user_added_to_the_kubeconfig_survives_the_next_start(tmp_path: Path) -> None:
    paths = ClusterPaths(tmp_path / "dev")
    made = pki.ensure(paths.pki, now=NOW, hosts=[])
    admin_kubeconfig.write(paths, "https://127.0.0.1:1", made)
    admin_kubeconfig.write(paths, "https://127.0.0.1:2", made)
    assert paths.kubeconfig.read_text() == admin_kubeconfig.text("dev", "https://127.0.0.1:2", made)
    text = paths.kubeconfig.read_text().replace("    user: kctl-dev\n", "    namespace: team\n    user: kctl-dev\n", 1)
    paths.kubeconfig.write_text(text.replace("contexts:\n", "contexts:\n- name: mine\n  context: {cluster: kctl-dev, user: kctl-dev}\n"))
    admin_kubeconfig.write(paths, "https://127.0.0.1:3", made)
    config = kubeconfig.load(paths.kubeconfig)
    assert set(config.contexts) == {"kctl-dev", "mine"} and config.current_context == "kctl-dev"
    assert config.contexts["kctl-dev"] == {"cluster": "kctl-dev", "user": "kctl-dev", "namespace": "team"}
    assert config.clusters["kctl-dev"]["server"] == "https://127.0.0.1:3"
    assert kubeconfig.local_cluster(config.clusters["kctl-dev"]) == "dev"


@pytest.mark.parametrize("name", ["123", "null", "yes", "1e3", "0x1f"])
def test_a_clusters_name_is_text_in_its_kubeconfig(tmp_path: Path, name: str) -> None:
    paths = ClusterPaths(tmp_path / name)
    admin_kubeconfig.write(paths, "https://127.0.0.1:1", pki.ensure(paths.pki, now=NOW, hosts=[]))
    assert plain_yaml.read(paths.kubeconfig.read_text()) is not None  # no YAML library is needed to read it
    (entry,) = kubeconfig.load(paths.kubeconfig).clusters.values()
    assert kubeconfig.local_cluster(entry) == name


@pytest.mark.parametrize(
    ("logger", "component"),
    [
        ("store.sqlite", "etcd"),
        ("kctl.kube_apiserver.server", "kube-apiserver"),
        ("controllers.kube_scheduler.queue", "kube-scheduler"),
        ("controllers.kubelet.fleet", "kubelet"),
        ("controllers.runtime.informer", "kube-controller-manager"),
        ("storehouse", "daemon"),
    ],
)
def test_each_logger_has_its_component(logger: str, component: str) -> None:
    assert logs.component_of(logger) == component


async def test_a_component_log_is_klog_and_can_be_tailed(tmp_path: Path) -> None:
    handler = logs.ComponentFiles(tmp_path)
    logger = logging.getLogger("controllers.kube_scheduler.test")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    for number in range(3):
        logger.info("line %s", number)
    logger.removeHandler(handler)
    handler.close()
    chunks = [chunk async for chunk in logs.read(tmp_path / "kube-scheduler.log", {"tailLines": "2"}, FakeClock())]
    lines = b"".join(chunks).decode().splitlines()
    assert [line.partition("] ")[2] for line in lines] == ["line 1", "line 2"]
    assert lines[0].startswith("I") and "test_files.py:" in lines[0]


@pytest.mark.virtual_time
async def test_a_component_log_can_be_followed(tmp_path: Path) -> None:
    clock, path = VirtualClock(), tmp_path / "etcd.log"
    path.write_bytes(b"one\n")
    chunks = logs.read(path, {"follow": "true"}, clock)
    assert await anext(chunks) == b"one\n"
    following = asyncio.ensure_future(anext(chunks))
    await clock.step(1)
    assert not following.done()
    path.write_bytes(b"one\ntwo\n")
    await clock.step(1)
    assert await following == b"two\n"
    await chunks.aclose()  # type: ignore[attr-defined]
