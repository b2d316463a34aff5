"""Recording: the log of a cluster's store, running or stopped, as far back as it goes, and on as it grows.

The values of Secrets stay out of it, unless they are asked for; in their place stands "hidden", so that what uses them still finds them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import orjson

from kctl.apimachinery.objects import Object
from kctl.daemon.config import ClusterConfig
from kctl.daemon.paths import ClusterPaths
from kctl.daemon.recordings.format import Header, Record, RecordingWriter
from store.rows import Log, Row

_SECRETS: Final = "/registry/core/secrets/"
_HIDDEN: Final = base64.b64encode(b"hidden").decode()
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_SETTINGS: Final = (
    "nodes", "node_cpu", "node_memory", "node_pods", "node_prefix", "control_plane_taint", "controllers", "speed", "authorization_mode",
)  # fmt: skip
"""What a cluster is played back with. Paths, ports and programs of this machine are nobody's business."""

Described = tuple[str, tuple[str, ...]]
Describe = Callable[[Object | None, Object | None], Described]
"""(object, what it was before) > when it was written and by whom; the object is None where it was deleted."""


class NotRecordable(Exception):
    """Why a cluster cannot be recorded, as a user reads it."""


class Recorder:
    """Of one cluster, into one file. Raises NotRecordable, StoreError, OSError, damage.DamagedFile."""

    def __init__(self, paths: ClusterPaths, describe: Describe, *, with_secrets: bool = False) -> None:
        config = ClusterConfig.load(paths.settings) or ClusterConfig(paths.name)
        if config.store:
            raise NotRecordable(f"cluster {paths.name!r} keeps its state on {config.store}: only a state in a file can be recorded")
        if not paths.state.is_file():
            raise NotRecordable(f"cluster {paths.name!r} has no state yet")
        self._log = Log(paths.state)
        self._describe = describe
        self._with_secrets = with_secrets
        self._known: dict[str, Object] = {}
        settings = {name: value for name, value in asdict(config).items() if name in _SETTINGS}
        settings["node_prefix"] = config.node_prefix or config.name
        self.header = Header(paths.name, not with_secrets, self._log.compact_revision(), settings)
        self.revision = 0

    def close(self) -> None:
        self._log.close()

    def write_to(self, path: Path) -> RecordingWriter:
        return RecordingWriter(path, self.header)

    def more(self) -> Iterator[Record]:
        """What has been written since the last time; at first everything that is known."""
        if self.revision and self._log.compact_revision() > self.revision:
            raise NotRecordable(f"the cluster has forgotten what happened after revision {self.revision}: it was not read in time")
        for row in self._log.after(self.revision):
            yield self._record(row)
            self.revision = row.revision

    def _record(self, row: Row) -> Record:
        previous = self._known.pop(row.key, None)
        if row.deleted:
            time, writers = self._describe(None, previous)
            return Record(row.revision, row.key, row.create_revision, row.version, time, writers, None)
        try:
            obj = orjson.loads(row.value)
        except orjson.JSONDecodeError as error:
            raise NotRecordable(f"what is stored as {row.key} at revision {row.revision} is damaged: {error}") from None
        if not isinstance(obj, dict):
            raise NotRecordable(f"what is stored as {row.key} at revision {row.revision} is no object")
        self._known[row.key] = obj
        time, writers = self._describe(obj, previous)
        shown = obj if self._with_secrets or not row.key.startswith(_SECRETS) else without_values(obj)
        return Record(row.revision, row.key, row.create_revision, row.version, time, writers, shown)


def without_values(secret: Object) -> Object:
    """A Secret with its keys, but nothing that was under them, not even in annotations that repeat it."""
    hidden = {name: value for name, value in secret.items() if name != "stringData"}
    if isinstance(secret.get("data"), dict):
        hidden["data"] = dict.fromkeys(secret["data"], _HIDDEN)
    meta: dict[str, Any] = secret.get("metadata") or {}
    annotations = meta.get("annotations")
    if isinstance(annotations, dict) and _LAST_APPLIED in annotations:
        kept = {name: value for name, value in annotations.items() if name != _LAST_APPLIED}
        hidden["metadata"] = {**meta, "annotations": kept}
    return hidden
