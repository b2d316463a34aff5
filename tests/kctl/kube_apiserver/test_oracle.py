"""Recorded answers of a real API server, replayed against ours: each scenario may never agree on fewer steps than before.

The recordings are in ../shared/oracle (skipped where absent). `oracle_floor.yaml` holds, for each scenario, how many answers agreed
but for managedFields, in full where that is less, and in their status code; `pytest -s` prints what agrees now. Each scenario gets a
fresh server, whose timers run fast.
"""

from __future__ import annotations

import asyncio
import importlib.util
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from kctl.apimachinery.clock import RealClock, Timer
from kctl.apimachinery.user import User
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore

ORACLE = Path(__file__).parents[4] / "shared" / "oracle"
FLOOR = yaml.safe_load((Path(__file__).parent / "oracle_floor.yaml").read_text())
SCENARIOS: dict[str, dict[str, int]] = FLOOR["scenarios"]
TOKEN = "ref-admin"
_NEWER_FIELD = ',"EvictionResponders":null'
"""Of the structure that a message about a changed pod template prints; 1.36 has none."""
_AGE_OF_A_FIXED_TIME = re.compile(r"\b\d+y\d+d\b")
ADMIN = User("admin", ("system:masters", "system:authenticated"), "admin")

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(not ORACLE.is_dir(), reason="the recorded answers (../shared/oracle) are not here"),
]


class FastClock(RealClock):
    """Watches that ask for a second get a twentieth."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return super().call_later(seconds / 20, callback)


@contextmanager
def server() -> Iterator[str]:
    """An API server without controllers on its own loop and thread; its URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    store = MemoryStore()

    async def start() -> tuple[ApiServer, int]:
        await store.start()
        config = ApiServerConfig(tokens={TOKEN: ADMIN}, service_account_issuer="https://kubernetes.default.svc")
        started = ApiServer(store, clock=FastClock(), randomness=random.Random(1), config=config)
        await started.start()
        return started, await started.serve("127.0.0.1", 0, None)

    async def stop() -> None:
        await api.stop()
        await store.close()

    api, port = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def recorder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("oracle_record", ORACLE / "record.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def without_known_differences(value: Any) -> Any:
    """Quirks of the recorded build that no other Kubernetes has (oracle_floor.yaml lists them), where it was served, and the ages of
    fixed times, which grow by a day a day."""
    if isinstance(value, dict):
        return {key: without_known_differences(inner) for key, inner in value.items() if key != "serverAddress"}
    if isinstance(value, list):
        return [
            without_known_differences(inner)
            for inner in value
            if not (isinstance(inner, dict) and (inner.get("configMap") or {}) and _is_quirk(inner["configMap"]))
        ]
    if isinstance(value, str):
        return _AGE_OF_A_FIXED_TIME.sub("<years>", value).replace(_NEWER_FIELD, "")
    return value


def _is_quirk(config_map: Any) -> bool:
    return isinstance(config_map, dict) and config_map.get("name") == "openshift-service-ca.crt"


def agreement(recorder: ModuleType, scenario: dict[str, Any], answers: list[Any]) -> tuple[int, int, int, list[str]]:
    """How many answers agree in full, how many but for managedFields, how many in status, and which do not."""
    owned = exact = same_status = 0
    different = []
    for step, got in zip(scenario["steps"], answers, strict=True):
        want = step.get("response")
        if want is None or got is None:
            continue
        got.pop("until_failed", None)
        left, right = (without_known_differences(recorder.canon_mf(side)) for side in (want, got))
        unstable = step.get("unstable") or []
        found = [
            entry
            for entry in recorder.diff(left, right)
            if not any(entry[0] == path or entry[0].startswith((f"{path}/", f"{path}(")) for path in unstable)
        ]
        owned += not found
        exact += all("/managedFields" in entry[0] for entry in found)
        same_status += left.get("status") == right.get("status")
        if found:
            different.append(f"{step.get('name')}: {found[0][0]}: want {str(found[0][1])[:120]}, got {str(found[0][2])[:120]}")
    return owned, exact, same_status, different


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_answers_agree_with_the_recording(name: str, recorder: ModuleType) -> None:
    scenario = recorder.load(ORACLE / "conversations" / f"{name}.yaml")
    with server() as url:
        runner = recorder.Runner(url, TOKEN)
        runner.teardown = lambda _: None
        answers = runner.run(scenario)
    owned, exact, same_status, different = agreement(recorder, scenario, answers)
    steps = sum(1 for step in scenario["steps"] if step.get("response") is not None)
    print(f"\n{name}: in full {owned}/{steps}, but for managedFields {exact}/{steps}, status {same_status}/{steps}")
    floor = SCENARIOS[name]
    assert owned >= floor.get("owned", floor["exact"]), "\n".join(different)
    assert same_status >= floor["status"], "\n".join(different)
    assert exact >= floor["exact"], "\n".join(different)
