"""agnhost's subcommands that look at files say word for word what the real ones say."""

from __future__ import annotations

import pytest

from controllers.kubelet.files.tree import Directory, Mount, Who
from tests.controllers.kubelet.commands.container import Container

IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.57"


def test_the_volume_a_test_looks_at() -> None:
    container = Container(IMAGE, mounts={"/test-volume": Mount(Directory(mode=0o777), "tmpfs")})
    result = container.run(
        "/agnhost",
        "mounttest",
        "--fs_type=/test-volume",
        "--new_file_0644=/test-volume/f",
        "--file_perm=/test-volume/f",
        "--file_owner=/test-volume/f",
    )
    assert result.out.splitlines() == [
        'mount type of "/test-volume": tmpfs',
        'content of file "/test-volume/f": mount-tester new file',
        "",
        'perms of file "/test-volume/f": -rw-r--r--',
        'owner UID of "/test-volume/f": 0',
        'owner GID of "/test-volume/f": 0',
    ]
    assert result.code == 0


def test_modes_of_folders_and_what_is_missing() -> None:
    container = Container(IMAGE, mounts={"/v": Mount(Directory(mode=0o2770), "ext4")}, who=Who(1001, 1001))
    assert container.run("/agnhost", "mounttest", "--file_mode=/tmp").out == 'mode of file "/tmp": dtrwxrwxrwx\n'
    assert container.run("/agnhost", "mounttest", "--file_mode=/v").out == 'mode of file "/v": dgrwxrwx---\n'
    missing = container.run("/agnhost", "mounttest", "--file_content=/none", "--file_mode=/none")
    assert missing.out.splitlines() == [
        'error from Stat("/none"): stat /none: no such file or directory',
        'error reading file content for "/none": open /none: no such file or directory',
    ]
    assert missing.code == 1


def test_content_that_changes_is_read_again_and_again() -> None:
    container = Container(IMAGE, {"/etc/x": "one"})
    running = container.start(
        ["/agnhost", "mounttest", "--break_on_expected_content=false", "--retry_time=120", "--file_content_in_loop=/etc/x"]
    )
    container.files.write("/etc/x", b"two")
    container.clock.advance(2)
    assert running.result.out == 'content of file "/etc/x": one\ncontent of file "/etc/x": two\n'
    container.clock.advance(120)
    assert running.code == 0


def test_the_arguments_come_through() -> None:
    container = Container(IMAGE)
    assert (
        container.run("/agnhost-2", "entrypoint-tester", "override", "arguments").out
        == "[/agnhost-2 entrypoint-tester override arguments]\n"
    )


def test_the_resolver_of_a_pod() -> None:
    container = Container(
        IMAGE, {"/etc/resolv.conf": "search a.local b.local\nnameserver 1.1.1.1\noptions ndots:2\n", "/etc/hosts": "127.0.0.1 localhost\n"}
    )
    assert container.run("/agnhost", "dns-suffix").out == "a.local,b.local\n"
    assert container.run("/agnhost", "dns-server-list").out == "1.1.1.1\n"
    assert container.run("/agnhost", "etc-hosts").out == "127.0.0.1 localhost\n\n"


@pytest.mark.parametrize("words", [["nonsense"], ["mounttest", "--nonsense"], ["netexec", "--http-port=x"], []])
def test_wrong_words_are_said_and_end_well(words: list[str]) -> None:
    """As cobra does where nobody looks at its error."""
    result = Container(IMAGE).run("/agnhost", *words)
    assert result.code == 0
    assert ("Error: " in result.error) is bool(words)


@pytest.mark.parametrize("name", ["webhook", "inclusterclient", "audit-proxy"])
def test_what_is_not_simulated_says_so(name: str) -> None:
    result = Container(IMAGE).run("/agnhost", name)
    assert (result.code, result.error) == (127, f'/agnhost: a simulated container cannot run "agnhost {name}"\n')


def test_logs_are_generated_in_their_time() -> None:
    container = Container(IMAGE)
    running = container.start(["/agnhost", "logs-generator", "--log-lines-total", "10", "--run-duration", "5s"])
    assert running.result.error.count("\n") == 1
    container.clock.advance(2.4)
    assert running.result.error.count("\n") == 5
    container.clock.advance(10)
    assert (running.code, running.result.error.count("\n")) == (0, 10)
