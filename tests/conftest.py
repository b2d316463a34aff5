"""Settings all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kctl.kube_apiserver import storage
from tests.shared_values import Witness


@pytest.fixture(autouse=True)
def shared_objects_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test in which an object of an in-process API server's cache was changed in place."""
    witness = Witness()
    monkeypatch.setattr(storage, "Entry", witness.entry_class())
    yield
    assert not witness.changed()
