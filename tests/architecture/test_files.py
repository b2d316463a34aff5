"""House rules a machine can check: file length, docstrings, complete top level."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAXIMUM_LINES = 500
SOURCES = sorted(
    path for folder in ("kctl", "store", "controllers", "manifests", "bench", "tests") for path in (ROOT / folder).rglob("*.py")
)
CODE = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in ("kctl", "store", "controllers")]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_is_longer_than_the_limit() -> None:
    lengths = {_name(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert not {name: length for name, length in lengths.items() if length > MAXIMUM_LINES}


@pytest.mark.parametrize("path", [path for path in CODE if path.name != "__init__.py"], ids=_name)
def test_module_opens_with_a_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "misc"])
def test_no_bags(word: str) -> None:
    assert not [_name(path) for path in SOURCES if word in (path.stem, path.parent.name)]


def test_each_of_upstreams_words_names_one_thing() -> None:
    """The registry is the API server's resources, storage what lies below it; besides, there is an API group of that name."""
    named = {_name(path) for path in CODE if path.stem in ("registry", "storage") or path.parent.name == "storage"}
    of_the_group = ("kctl/kube_apiserver/registry/storage/", "kctl/kube_apiserver/columns/storage.py", "kctl/cli/describe/storage.py")
    assert {name for name in named if not name.startswith(of_the_group)} == {
        "kctl/kube_apiserver/registry/registry.py",
        "kctl/kube_apiserver/storage.py",
    }


def test_what_is_answered_and_never_stored_has_a_place_of_its_own() -> None:
    """Reviews and the like; subresources are something else."""
    kinds = {path.stem: path.parent.name for path in CODE if path.stem.endswith(("_review", "component_status"))}
    assert kinds and set(kinds.values()) == {"virtual_resources"}


def test_components_take_their_clock() -> None:
    """Only the clock and the edges (command line, its cache of discovery, log stamps) may ask the operating system for the time."""
    allowed = (
        "kctl/apimachinery/clock.py",
        "kctl/cli/",
        "kctl/client/discovery.py",
        "kctl/client/request_log.py",
        "kctl/daemon/logs.py",
    )
    found = []
    for path in CODE:
        if _name(path).startswith(allowed):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                call = f"{node.value.id}.{node.attr}"
                if call in ("time.time", "datetime.now", "datetime.utcnow", "random.random", "random.choice"):
                    found.append(f"{_name(path)}:{node.lineno} {call}")
    assert not found
