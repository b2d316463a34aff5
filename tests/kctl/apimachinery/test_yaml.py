"""YAML in Go's dialect. The expectations were checked with kubectl 1.37."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kctl.apimachinery import yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30:45", "12:30:45"),
        ("0o17", 15),
        ("010", 8),
        ("08", 8),
        ("1e3", 1000),
        ("y", True),
        ("off", False),
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("1_000", 1000),
        ("0x1F", 31),
        ("1.0", 1),
        ("0b11", 3),
        ("+1", 1),
        ("1e400", "1e400"),
        ("-0.0", 0),
        (".5", 0.5),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ('"y"', "y"),
        ("!!str 1", "1"),
        ("!custom x", "x"),
        ("123456789012345678901", 1.2345678901234568e20),
        ("a b", "a b"),
        ("null", None),
        ("1.2.3", "1.2.3"),
        ("0.1", 0.1),
        ("1e-7", 1e-7),
        ("<<", "<<"),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    loaded = yaml.load(f"a: {text}\n")["a"]
    assert loaded == value
    assert type(loaded) is type(value)


def test_keys_become_text_and_merges_apply() -> None:
    assert yaml.load("1: a\n1.5: b\ny: c\n0x10: d\n") == {"1": "a", "1.5": "b", "true": "c", "16": "d"}
    assert yaml.load("base: &b {x: 1, y: 2}\nz:\n  <<: *b\n  x: 3\n")["z"] == {"x": 3, "true": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", "yaml: mapping values are not allowed in this context"),
        ("x: 1\na:\n\tb: 1\n", "yaml: line 3: found character that cannot start any token"),
        ("a: 1\n b: 2\n", "yaml: line 2: mapping values are not allowed in this context"),
        ("a:\n  b: 1\n c: 2\n", "yaml: line 2: did not find expected key"),
        ("x: 1\na: [b\n", "yaml: line 2: did not find expected ',' or ']'"),
        ("x: 1\na: *q\n", "yaml: unknown anchor 'q' referenced"),
        ("a: .inf", "json: unsupported value: +Inf"),
        ("a: {~: 1}", "unsupported map key of type: %!s(<nil>), key: <nil>, value: 1"),
        ("a: b\x01", "yaml: control characters are not allowed"),
    ],
)
def test_errors_are_in_gos_words(text: str, message: str) -> None:
    with pytest.raises(yaml.YamlError) as caught:
        yaml.load(text)
    assert caught.value.message == message


def test_duplicate_keys_are_told_and_strictly_refused() -> None:
    text = "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n"
    assert yaml.parse(text) == (
        {"a": 3, "b": {"c": 2}},
        ['line 4: key "c" already set in map', 'line 5: key "a" already set in map'],
    )
    with pytest.raises(yaml.YamlError, match=r'unmarshal errors:\n  line 4: key "c" already set in map\n'):
        yaml.load(text, strict=True)


def test_documents_are_split_at_separator_lines() -> None:
    assert list(yaml.load_all("---\na: 1\n--- # next\n\n---\nb: |\n  x\n  --- y\n")) == [{"a": 1}, {"b": "x\n--- y\n"}]


WRITTEN = {
    "apiVersion": "example.com/v1",
    "kind": "Foo",
    "metadata": {
        "name": "x",
        "labels": {"a": "b"},
        "creationTimestamp": "2020-01-01T00:00:00Z",
        "annotations": {"a10": "1", "a2": "2", "B": "3"},
    },
    "spec": {
        "words": ["true", "yes", "n", "null", "~", "", "1", "1e3", "010", "12:30", "2020-01-01", "a: b", "#x", "- a", "'q'", "@x"],
        "numbers": [1, 1.5, 1e-7, 1234567.5, True, None],
        "text": "two\nlines\n",
        "strip": "two\nlines",
        "space": " lead",
        "long": "word " * 30,
        "empty": {},
        "none": [],
        "unicode": "é✓",
        "tab": "a\tb",
    },
}


def test_writing_is_what_kubectl_writes(tmp_path: Path) -> None:
    binary = Path(sys.executable).with_name("kubectl")
    if not binary.exists():
        pytest.skip("kubectl is not installed beside this Python")
    source = tmp_path / "x.json"
    source.write_text(json.dumps(WRITTEN))
    command = [str(binary), "label", "--local", "-f", str(source), "a=b", "-o", "yaml", "--kubeconfig", "/dev/null"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert yaml.dump(WRITTEN) == printed


def test_documents_are_not_closed_explicitly() -> None:
    assert yaml.dump({"a": "x\n\n"}) == "a: |+\n  x\n\n"
    assert yaml.dump("x") == "x\n"


def test_what_is_written_reads_back() -> None:
    assert yaml.load(yaml.dump(WRITTEN)) == WRITTEN


@pytest.mark.parametrize(
    ("keys", "order"),
    [
        (["b", "a10", "a2", "a"], ["a", "a2", "a10", "b"]),
        (["a_b", "ab", "a-b", "A", "1a", "10a", "2a"], ["10a", "1a", "2a", "A", "a-b", "a_b", "ab"]),
        (["app.kubernetes.io/name", "app"], ["app", "app.kubernetes.io/name"]),
    ],
)
def test_keys_are_in_gos_order(keys: list[str], order: list[str]) -> None:
    written = yaml.dump(dict.fromkeys(keys, 0))
    assert [line.split(":")[0] for line in written.splitlines()] == order
