"""The cache of one resource: order, namespaces, the window of changes, slow watchers."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.kube_apiserver import watch_cache
from kctl.kube_apiserver.watch_cache import Change, Entry, WatchCache


def entry(key: str, revision: int, **labels: str) -> Entry:
    namespace, _, name = key.rpartition("/")
    meta: dict[str, Any] = {"name": name, "namespace": namespace, "labels": labels, "resourceVersion": str(revision)}
    return Entry({"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta}, revision)


def filled(*keys: str) -> WatchCache:
    cache = WatchCache("", "configmaps", True)
    cache.load((), 0)
    for number, key in enumerate(keys, 1):
        cache.apply([Change("ADDED", key, entry(key, number), None)])
    return cache


def names(cache: WatchCache, namespace: str = "", after: str = "") -> list[str]:
    return [found.object["metadata"]["name"] for found in cache.list(namespace, after)]


def test_lists_are_in_key_order() -> None:
    cache = filled("b/x", "a/z", "a/y")
    assert names(cache) == ["y", "z", "x"]
    assert names(cache, "a") == ["y", "z"]
    assert names(cache, "", "a/y") == ["z", "x"]
    cache.apply([Change("DELETED", "a/y", entry("a/y", 9), cache.entries["a/y"].object)])
    assert names(cache) == ["z", "x"]


def test_the_window_tells_how_far_back_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_cache, "WINDOW", 3)
    cache = filled()
    for revision in range(1, 6):
        key = f"a/{revision}"
        cache.apply([Change("ADDED", key, entry(key, revision), None)])
    assert [change.entry.revision for change in cache.since(3) or ()] == [4, 5]
    assert [change.entry.revision for change in cache.since(2) or ()] == [3, 4, 5]
    assert cache.since(1) is None
    assert cache.since(5) == ()


def test_the_window_forgets_what_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_cache, "SMALLEST_WINDOW", 2)
    cache = filled()
    for revision in range(1, 6):
        cache.apply([Change("ADDED", f"a/{revision}", entry(f"a/{revision}", revision), None)], now=float(revision))
    cache.forget(watch_cache.FRESH_SECONDS + 2.0)
    assert cache.since(0) is None and [change.entry.revision for change in cache.since(1) or ()] == [2, 3, 4, 5]
    cache.apply([Change("ADDED", "a/6", entry("a/6", 6), None)], now=watch_cache.FRESH_SECONDS + 5.5)
    assert cache.since(4) is not None and cache.since(3) is None
    cache.forget(1e6)
    assert [change.entry.revision for change in cache.since(4) or ()] == [5, 6] and cache.since(3) is None


def test_a_slow_watcher_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_cache, "MAX_BACKLOG", 2)
    cache = filled()
    watcher = cache.subscribe(None, "")
    for revision in range(1, 4):
        cache.apply([Change("ADDED", f"a/{revision}", entry(f"a/{revision}", revision), None)])
    assert watcher.closed


def test_encoding_has_no_type_and_is_made_once() -> None:
    found = entry("a/x", 1)
    assert found.item() is found.item()
    assert found.item().startswith(b'{"metadata":{"name":"x"')
    assert found.encoded(b'{"kind":"ConfigMap","apiVersion":"v1",').startswith(b'{"kind":"ConfigMap","apiVersion":"v1","metadata"')


def test_the_window_forgets_what_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What went before a large change went, too; a deletion holds what it deleted; a small object is nobody's matter."""
    monkeypatch.setattr(watch_cache, "WINDOW_BYTES", 100_000)
    cache = filled("a/1", "a/2")
    for revision, key, size in ((3, "a/3", 60_000), (4, "a/4", 0), (5, "a/5", 30_000)):
        if size:
            cache.note_large(key, revision, size)
        cache.apply([Change("ADDED", key, entry(key, revision), None)])
    assert [change.entry.revision for change in cache.since(2) or ()] == [3, 4, 5]
    cache.note_large("a/5", 6, 0)
    cache.apply([Change("DELETED", "a/5", entry("a/5", 6), cache.entries["a/5"].object)])
    assert cache.since(2) is None and [change.entry.revision for change in cache.since(3) or ()] == [4, 5, 6]
    assert cache.sizes == {"a/3": 60_000}
