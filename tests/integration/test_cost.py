"""Neither the start of a control plane nor the life of a pod may get dearer unnoticed. Counted in function calls, in simulated time, so
the numbers are the same on every machine; they are bounds with a little room, not goals.

Who goes beyond one looks for where (`python -m tests.integration.cost --profile`) before raising it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES_OF_A_START = 308
CALLS_OF_A_START = 30_900
CALLS_PER_POD = 2_740
"""Created, bound, started and reported ready, with its events and the status of its owners."""


def test_what_a_start_and_a_pod_cost() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.integration.cost"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["modules_of_a_start"] <= MODULES_OF_A_START
    assert found["calls_of_a_start"] <= CALLS_OF_A_START
    assert found["calls_per_pod"] <= CALLS_PER_POD
