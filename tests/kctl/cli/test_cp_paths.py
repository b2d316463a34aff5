"""The files of `kctl cp`: what is meant by a word, and where what is in an archive may go."""

from __future__ import annotations

import pytest

from kctl.cli.errors import CommandError
from kctl.cli.remote.file_specs import FileSpec, archive_prefix, destination, file_spec, is_below


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("/tmp/foo", FileSpec("", "", "/tmp/foo")),
        ("pod:/tmp/foo/", FileSpec("", "pod", "/tmp/foo")),
        ("space/pod:foo", FileSpec("space", "pod", "foo")),
        ("pod:C:\\x", FileSpec("", "pod", "C:/x")),
    ],
)
def test_words(text: str, spec: FileSpec) -> None:
    assert file_spec(text) == spec


@pytest.mark.parametrize("text", [":/tmp", "a/b/c:/tmp"])
def test_words_that_are_refused(text: str) -> None:
    with pytest.raises(CommandError, match="filespec must match"):
        file_spec(text)


@pytest.mark.parametrize(
    ("remote", "prefix"), [("/tmp/foo", "tmp/foo"), ("../../tmp/foo", "tmp/foo"), ("/", ""), (".", ""), ("..", ""), ("foo/../bar", "bar")]
)
def test_prefixes_of_archives(remote: str, prefix: str) -> None:
    assert archive_prefix(remote) == prefix


def test_nothing_is_written_outside_the_destination() -> None:
    assert destination("tmp/foo", "tmp/foo", "/home/x/bar") == "/home/x/bar"
    assert destination("tmp/foo/a/b", "tmp/foo", "/home/x/bar") == "/home/x/bar/a/b"
    with pytest.raises(CommandError, match="tar contents corrupted"):
        destination("etc/passwd", "tmp/foo", "/home/x/bar")
    for name in ("tmp/foo/../../../etc/passwd", "tmp/foo/../x"):
        assert not is_below("/home/x/bar", destination(name, "tmp/foo", "/home/x/bar"))
    assert is_below("/home/x/bar", destination("tmp/foo//etc/passwd", "tmp/foo", "/home/x/bar"))
