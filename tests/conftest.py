"""Settings all tests share."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from kctl.apimachinery.virtual_time import VirtualTimeLoop
from kctl.kube_apiserver import storage
from tests.shared_values import Witness

_SIMULATED = [Path(__file__).parent / folder for folder in ("controllers", "integration")]
_LONGEST_TEST_SECONDS = 7 * 86_400.0


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Controllers and kubelets run in simulated time, and so does what asks for it by the mark `virtual_time`. What has threads or
    processes of its own there asks for `real_time`."""
    simulated = any(item.path.is_relative_to(folder) for folder in _SIMULATED) and not item.get_closest_marker("real_time")
    if simulated or item.get_closest_marker("virtual_time"):
        return {"virtual": lambda: VirtualTimeLoop(_LONGEST_TEST_SECONDS)}
    return {"real": asyncio.new_event_loop}


def pytest_sessionfinish() -> None:
    """Workers end without running what is registered for their exit."""
    if "tests.contract.etcd_server" in sys.modules:
        sys.modules["tests.contract.etcd_server"].end_shared_member()


@pytest.fixture(autouse=True, scope="session")
def temporary_files_are_the_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests, clients' libraries and commands leave in the folder for temporary files goes with those of the third last run."""
    with pytest.MonkeyPatch.context() as patch:
        folder = str(tmp_path_factory.getbasetemp())
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(autouse=True)
def shared_objects_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test in which an object of an in-process API server's cache was changed in place."""
    witness = Witness()
    monkeypatch.setattr(storage, "Entry", witness.entry_class())
    yield
    assert not witness.changed()
