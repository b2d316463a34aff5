"""What every command prints, and its exit code: transcripts in golden/, run again against an API server in this process.

`python -m tests.kctl.cli.test_transcripts` writes them anew; read the difference before committing it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.kctl.cli.console import console, replay

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.txt")))
def test_transcript(name: str, tmp_path: Path) -> None:
    text = (GOLDEN / f"{name}.txt").read_text()
    with console(tmp_path) as prompt:
        assert replay(text, prompt) == text


def write() -> None:
    for path in sorted(GOLDEN.glob("*.txt")):
        with tempfile.TemporaryDirectory() as home, console(Path(home)) as prompt:
            path.write_text(replay(path.read_text(), prompt))


if __name__ == "__main__":
    write()
