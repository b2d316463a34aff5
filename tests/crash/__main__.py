"""python -m tests.crash --rounds 200: as many kills of a store and of a whole daemon under load; ends at the first thing lost."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

from tests.crash.daemon_process import Daemon
from tests.crash.daemon_rounds import DaemonRounds
from tests.crash.store_rounds import StoreRounds

_EVERY = 20
"""Rounds after which the figures so far are shown."""


def _show(number: int, rounds: StoreRounds | DaemonRounds) -> None:
    if number % _EVERY == _EVERY - 1:
        print(f"  {rounds.figures}", flush=True)


async def _store(count: int, seed: int, folder: Path) -> None:
    rounds = StoreRounds(folder / "state.db", seed)
    for number in range(count):
        await rounds.round(number)
        _show(number, rounds)
    print(f"store: {rounds.figures}", flush=True)


async def _daemon(count: int, seed: int, folder: Path) -> None:
    daemon = Daemon(folder)
    rounds = DaemonRounds(daemon, seed)
    try:
        await rounds.begin()
        for number in range(count):
            await rounds.round(number)
            _show(number, rounds)
        await rounds.comes_to_rest(10)
    finally:
        daemon.stop()
    print(f"daemon: {rounds.figures}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="of the moments and of what is looked at; a random one where none is given")
    parser.add_argument("--only", choices=("store", "daemon"), default=None)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}", flush=True)
    for name, play in (("store", _store), ("daemon", _daemon)):
        if arguments.only in (None, name):
            with tempfile.TemporaryDirectory(prefix="kctl-crash-") as folder:
                asyncio.run(play(arguments.rounds, seed, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
