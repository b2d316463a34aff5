"""python -m tests.linearizability --operations 60000: concurrent clients against a real daemon over HTTPS, with kills in between; exit
code 1 where an answer cannot be explained."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

from tests.crash.daemon_process import Daemon
from tests.linearizability.rounds import DaemonEpisodes

_PER_EPISODE = 1000
_KILL_EVERY = 4
"""Episodes."""


async def _run(operations: int, seed: int, folder: Path) -> str:
    """What was found."""
    daemon = Daemon(folder)
    episodes, number = DaemonEpisodes(daemon, seed), 0
    await asyncio.to_thread(daemon.start)
    try:
        while episodes.operations < operations:
            history = await episodes.episode(number, _PER_EPISODE, kill=number % _KILL_EVERY == _KILL_EVERY - 1)
            if problem := history.problem():
                return problem
            number += 1
            if number % 10 == 0:
                print(f"  {episodes.operations} operations, {episodes.kills} kills", flush=True)
    finally:
        daemon.stop()
        answers = ", ".join(f"{what} {count}" for what, count in sorted(episodes.counts.items()))
        print(f"{episodes.operations} operations, {episodes.kills} kills; {answers}", flush=True)
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.linearizability", description=__doc__)
    parser.add_argument("--operations", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=None, help="of what the clients do; a random one where none is given")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kctl-linearizability-") as folder:
        problem = asyncio.run(_run(arguments.operations, seed, Path(folder)))
    print(problem or "linearizable")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
