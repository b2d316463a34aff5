"""python -m tests.fuzz --requests 100000 --seed N: many requests against a server of its own; exit code 1 where something was found."""

from __future__ import annotations

import argparse
import secrets
import sys

from tests.fuzz import recorded
from tests.fuzz.run import SECONDS, Report, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None, help="the same seed makes the same requests; a random one where none is given")
    parser.add_argument("--no-recordings", action="store_true", help="as in a clone without ../shared/oracle, and as the test does")
    parser.add_argument("--findings", type=int, default=50, help="stop after so many")
    parser.add_argument("--timeout", type=float, default=SECONDS, help="seconds a request may take")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}", flush=True)

    def progress(done: int, report: Report) -> None:
        print(f"  {report.counts()}; {report.long} long, {len(report.findings)} findings", flush=True)

    found = () if arguments.no_recordings else recorded.cases()
    report = run(
        arguments.requests,
        seed,
        recorded=found,
        most_findings=arguments.findings,
        seconds=arguments.timeout,
        progress=progress,
        tell=lambda finding: print(f"seed {seed} {finding}", flush=True),
    )
    print(report.text())
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
