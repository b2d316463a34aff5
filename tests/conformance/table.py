"""docs/conformance.md: what of the official conformance suite is tested here, and by what. `python -m tests.conformance.table` writes it.

A test claims a conformance test by carrying its full name (`[sig-...] ... [Conformance]`) in its docstring. What no test claims has a
reason in reasons.yaml or is listed as not looked at. The names come from ../shared/conformance.yaml.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
NAMES = ROOT.parent / "shared" / "conformance.yaml"
REASONS = Path(__file__).parent / "reasons.yaml"
DOCUMENT = ROOT / "docs" / "conformance.md"

_HEAD = """\
# Conformance

The official conformance tests of Kubernetes {release} ({total} of them) against the tests of this repository. It is *tested* if a
test of ours does what its text says, through the API, and names it. `python -m tests.conformance.table` makes this page.

"""


def _plain(text: str) -> str:
    """`text` with every run of white space as one space."""
    return " ".join(text.split())


@dataclass(frozen=True)
class ConformanceTest:
    name: str
    """As the suite prints it, `[sig-...] ... [Conformance]`."""
    file: str
    """Where upstream keeps it, `test/e2e/...`."""

    @property
    def group(self) -> str:
        """Its special interest group, `sig-apps`."""
        return self.name[1 : self.name.index("]")]


@dataclass(frozen=True)
class Reason:
    """Why tests are not claimed: those of `file` whose name has `contains`."""

    reason: str
    file: str = ""
    contains: str = ""

    def covers(self, test: ConformanceTest) -> bool:
        return test.file.endswith(self.file) and self.contains in test.name


def names() -> list[ConformanceTest]:
    """All official conformance tests, in the suite's order."""
    return [ConformanceTest(_plain(item["codename"]), item["file"]) for item in yaml.safe_load(NAMES.read_text())]


def reasons() -> list[Reason]:
    """The reasons, the first that covers a test being the one."""
    return [Reason(**item) for item in yaml.safe_load(REASONS.read_text())]


def _docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Pairs (test, docstring) of a file of tests; classes and the module speak for all their tests."""
    module = ast.parse(path.read_text())
    where = path.relative_to(ROOT).as_posix()
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and "[sig-" in text:
                yield (where if isinstance(node, ast.Module) else f"{where}::{node.name}"), _plain(text)


def claims() -> dict[str, list[str]]:
    """Names as tests of ours carry them > those tests; a name that is none of the suite's is there as it stands."""
    claimed: dict[str, list[str]] = {}
    known = [test.name for test in names()]
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for where, text in _docstrings(path):
            for name in known:
                if name in text:
                    claimed.setdefault(name, []).append(where)
                    text = text.replace(name, "")
            if "[sig-" in text and "[Conformance]" in text:
                claimed.setdefault(text[text.index("[sig-") :], []).append(where)
    return claimed


def _row(test: ConformanceTest, claimed: dict[str, list[str]], why: list[Reason]) -> tuple[str, str]:
    """The state of a test and the words for it."""
    if test.name in claimed:
        return "tested", ", ".join(f"`{where}`" for where in claimed[test.name])
    reason = next((item.reason for item in why if item.covers(test)), "")
    return ("not", reason) if reason else ("open", "not looked at yet")


def document(release: Any = "1.36") -> str:
    """The page."""
    claimed, why = claims(), reasons()
    groups: dict[str, list[tuple[ConformanceTest, str, str]]] = {}
    for test in names():
        groups.setdefault(test.group, []).append((test, *_row(test, claimed, why)))
    text = _HEAD.format(release=release, total=sum(map(len, groups.values())))
    text += "| group | tests | tested | not, with a reason | not looked at |\n|---|---|---|---|---|\n"
    total: Counter[str] = Counter()
    for group, rows in groups.items():
        states = Counter(state for _, state, _ in rows)
        total += states
        text += f"| {group} | {len(rows)} | {states['tested']} | {states['not']} | {states['open']} |\n"
    text += f"| all | {sum(map(len, groups.values()))} | {total['tested']} | {total['not']} | {total['open']} |\n"
    for group, rows in groups.items():
        text += f"\n## {group}\n\n| conformance test | state |\n|---|---|\n"
        for test, _, words in rows:
            text += f"| {test.name.removeprefix(f'[{group}] ').removesuffix(' [Conformance]').replace('|', chr(92) + '|')} | {words} |\n"
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(document())
    print(f"wrote {DOCUMENT.relative_to(ROOT)}")
