"""`python -m tests.controllers.sequences [--sequences 10000] [--first SEED] [--deeds 25] [--narrow] [--processes N]`: exit code 1 where a
rule was broken; what was done and which rules were broken is printed for each such seed, which plays the same again."""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import sys
import time
from functools import partial

from tests.controllers.sequences.run import Report, run


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.controllers.sequences")
    parser.add_argument("--sequences", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--deeds", type=int, default=25)
    parser.add_argument("--narrow", action="store_true", help="the deeds and fields that the seeds of old know")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    wanted = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)  # that requests fail is what is played
    began, writes, broken, done = time.monotonic(), 0, 0, 0
    seeds = range(wanted.first, wanted.first + wanted.sequences)
    with multiprocessing.Pool(wanted.processes, maxtasksperchild=200) as pool:
        for report in pool.imap_unordered(partial(_run, deeds=wanted.deeds, wide=not wanted.narrow), seeds):
            done, writes = done + 1, writes + report.writes
            if report.broken:
                broken += 1
                print(report, flush=True)
            if done % 100 == 0:
                print(f"{done} sequences, {broken} broken, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{done} sequences, {writes} writes, {broken} broken, {time.monotonic() - began:.0f} s")
    return 1 if broken else 0


def _run(seed: int, deeds: int, wide: bool) -> Report:
    try:
        return run(seed, deeds, wide=wide)
    except Exception as error:
        return Report(seed, [f"{type(error).__name__}: {error}"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
