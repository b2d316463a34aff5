"""Claims, volumes and classes as the scheduler sees them: the informers', with what it has promised and not yet written on top
(volumebinding's assume caches)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

from controllers.runtime import volumes
from controllers.runtime.indexer import SPEC
from controllers.runtime.informer import Change, Informer, InformerFactory
from controllers.runtime.volumes import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, built_in

_CSI_NODES = built_in("storage.k8s.io/v1", "CSINode")
_VOLUME_ATTACHMENTS = built_in("storage.k8s.io/v1", "VolumeAttachment")


class _Assumed:
    """Objects changed ahead of the server; each is forgotten when the informer has a newer one than it was made from."""

    def __init__(self, informer: Informer) -> None:
        self._informer = informer
        self._promised: dict[str, tuple[str, Object]] = {}

    def get(self, key: str) -> Object | None:
        present = self._informer.get(key)
        promised = self._promised.get(key)
        if promised is None or present is None:
            return present
        if objects.resource_version(present) == promised[0]:
            return promised[1]
        del self._promised[key]
        return present

    def put(self, changed: Object) -> None:
        self._promised[objects.key(changed)] = (objects.resource_version(changed), changed)

    def drop(self, key: str) -> None:
        self._promised.pop(key, None)


class VolumeCache:
    def __init__(self, informers: InformerFactory) -> None:
        self._informers = informers
        self.pods = informers.informer(PODS)
        self.pods.add_index(volumes.CLAIM_INDEX, volumes.claims_of, SPEC)
        self._claims = informers.informer(PERSISTENT_VOLUME_CLAIMS)
        self._volumes = informers.informer(PERSISTENT_VOLUMES)
        self._volumes.add_index(volumes.VOLUME_INDEX, volumes.index_by_claim)
        self._classes = informers.informer(STORAGE_CLASSES)
        self.csi_nodes = informers.informer(_CSI_NODES)
        self._attachments = informers.informer(_VOLUME_ATTACHMENTS)
        self._attachments.add_index("node", lambda attachment: [str(objects.spec(attachment).get("nodeName") or "")])
        self.claims, self.volumes = _Assumed(self._claims), _Assumed(self._volumes)
        self._waiting: dict[asyncio.Event, frozenset[str]] = {}

    async def start(
        self,
        claims_changed: Callable[[Collection[str]], None],
        volume_freed: Callable[[], None],
        class_changed: Callable[[], None],
        csi_node_changed: Callable[[], None],
        detached: Callable[[], None],
    ) -> None:
        """Returns when all are filled; from then on tells what changes."""
        await self._informers.start()
        self._claims.add_handler(lambda changes: self._changed(changes, claims_changed))
        self._volumes.add_handler(lambda changes: self._volumes_changed(changes, volume_freed))
        self._classes.add_handler(lambda changes: class_changed())
        self.csi_nodes.add_handler(lambda changes: csi_node_changed())
        self._attachments.add_handler(lambda changes: detached() if any(new is None for _, new in changes) else None)
        self.pods.add_handler(self._pods_changed)

    def storage_class(self, name: str) -> Object | None:
        return self._classes.get(name)

    def attachments_of(self, node: str) -> Collection[Object]:
        """VolumeAttachments."""
        return self._attachments.by_index("node", node)

    def candidates(self, claim: Object) -> Iterable[Object]:
        """Volumes that may be bound to it, as promised so far."""
        for volume in volumes.candidates(claim, self._volumes.by_index):
            found = self.volumes.get(objects.name(volume))
            if found is not None:
                yield found

    def present(self, key: str) -> tuple[Object | None, Object | None]:
        """A claim and its volume as the server has them."""
        claim = self._claims.get(key)
        name = objects.spec(claim).get("volumeName") if claim is not None else None
        return claim, self._volumes.get(name) if name else None

    def is_reserved(self, claim: Object) -> bool:
        """Whether a volume is promised to it, as the server has it."""
        return bool(self._volumes.by_index(volumes.VOLUME_INDEX, objects.key(claim)))

    def observe(self, claims: Sequence[Object], persistent_volumes: Sequence[Object]) -> None:
        self._claims.observe(claims)
        self._volumes.observe(persistent_volumes)

    # ---- waiting for others

    def wait_for(self, keys: Iterable[str]) -> asyncio.Event:
        """Set when one of the claims, or pods, of these keys has changed. Give it back with `done`."""
        event = asyncio.Event()
        self._waiting[event] = frozenset(keys)
        return event

    def done(self, event: asyncio.Event) -> None:
        self._waiting.pop(event, None)

    def _wake(self, keys: Collection[str]) -> None:
        for event, wanted in self._waiting.items():
            if not wanted.isdisjoint(keys):
                event.set()

    def _changed(self, changes: Sequence[Change], claims_changed: Callable[[Collection[str]], None]) -> None:
        keys = {objects.key(new or old or {}) for old, new in changes}
        self._wake(keys)
        claims_changed(keys)

    def _volumes_changed(self, changes: Sequence[Change], volume_freed: Callable[[], None]) -> None:
        self._wake({volumes.claim_key_of(each) for change in changes for each in change if each is not None})
        if any(new is not None and objects.status(new).get("phase") == "Available" for _, new in changes):
            volume_freed()

    def _pods_changed(self, changes: Sequence[Change]) -> None:
        if self._waiting:
            self._wake({objects.key(old) for old, new in changes if new is None and old is not None})
