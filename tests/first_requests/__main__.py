"""python -m tests.first_requests [WORD ...]: each request (whose name has all words) twice, in a process that was asked nothing before but
whether it lives. With --sample some of all, and what was done once for each, as lines of JSON."""

from __future__ import annotations

import gc
import json
import sys

from kctl.apimachinery.resources import ResourceTable
from kctl.kube_apiserver import protobuf
from tests.first_requests import cases
from tests.first_requests.cases import Case
from tests.first_requests.probe import Probe, Seen, Stored, in_a_process

LIVES = Case("GET /livez", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")


def stored() -> Stored:
    """One object of every kind of which there is a valid one, made by another server."""
    probe = Probe()
    wanted = (resource for resource in ResourceTable() if {"create", "get"} <= {*resource.verbs})
    probe.run([next(cases.creations(resource)) for resource in wanted])
    return [(key, value.value) for key, value in probe.store._now.items()]


def _line(case: Case, first: Seen, second: Seen) -> str:
    """Milliseconds of the loop's thread and of waiting, of the first and of the second time."""
    figures = (first.cpu, first.gap, second.cpu, second.gap)
    return " ".join(f"{seconds * 1000:7.1f}" for seconds in figures) + f"  {len(first.once):3d} {first.status} {case.name}"


def main(arguments: list[str]) -> int:
    words = [word for word in arguments if not word.startswith("--")]
    table = ResourceTable()
    probe = Probe(in_a_process(stored))
    gc.collect()
    gc.freeze()
    if "--sample" in arguments:
        batches = cases.sample(table)
        protobuf._lines.cache_clear()  # which the cases were written by
        for batch in batches:
            batch = [LIVES, *batch]
            for case, seen in zip(batch, probe.forked(batch), strict=True):
                print(json.dumps({"case": case.name, "status": seen.status, "once": seen.once, "beside": seen.beside}))
        return 0
    for case in cases.all_cases(table):
        if all(word in case.name for word in words):
            _, _, first, second = probe.forked([LIVES, case], 2)
            print(_line(case, first, second), flush=True)
            if words:
                print("".join(f"    {what}\n" for what in first.once), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
