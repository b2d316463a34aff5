"""The test mode that finds whoever changes a shared object."""

from __future__ import annotations

from tests.shared_values import Witness


def test_a_change_in_place_is_found() -> None:
    witness = Witness()
    kept = {"metadata": {"name": "a", "labels": {"x": "y"}}}
    witness.entry_class()(kept, 1)
    witness.entry_class()({"metadata": {"name": "b"}}, 2)
    assert not witness.changed()
    kept["metadata"]["labels"]["x"] = "z"  # type: ignore[index]
    assert len(witness.changed()) == 1
