"""The first request of its sort imports and reads what it needs beside the event loop. Counted in processes that have imported nothing but
a server's start; `python -m tests.first_requests` asks all there is and measures, too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALLOWED = "/encodings/"
"""Codecs of Python's, a few lines each."""


def test_no_request_imports_anything_on_the_loop() -> None:
    command = [sys.executable, "-m", "tests.first_requests", "--sample"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(seen) > 400
    on_the_loop = {entry["case"]: once for entry in seen if (once := [what for what in entry["once"] if ALLOWED not in what])}
    assert on_the_loop == {}
    assert not [entry for entry in seen if entry["status"] >= 500 and entry["status"] != 501]
    beside: dict[str, str] = {}
    for entry in seen:
        sort = entry["case"].partition(" ")[0] if "GET /" in entry["case"] else entry["case"].partition(" ")[2].partition(" ")[2]
        beside[sort] = beside.get(sort, "") + " ".join(entry["beside"])
    assert "kube_apiserver/openapi.py" in beside["GET"] and "jwt/api_jwt.py" in beside["GET"]
    assert "registry/apps/deployment.py" in beside["create"] and "handlers/create.py" in beside["create"]
    assert "protobuf_fields.txt" in beside["create protobuf"]
    assert "columns/workloads.py" in beside["table"]
