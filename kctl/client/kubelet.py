"""How kube-apiserver reaches a kubelet for pods/log (later exec, attach, port-forward): the seam both sides know.

In a cluster of simulated nodes the fleet implements it in the same process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol


class KubeletConnector(Protocol):
    async def logs(self, node: str, namespace: str, pod: str, container: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Log chunks. `options` are PodLogOptions as query parameters: follow, previous, tailLines, sinceSeconds, sinceTime,
        timestamps, limitBytes. Raises kctl.apimachinery.status.ApiError (BadRequest for a container that has not started:
        `container "c" in pod "p" is waiting to start: ContainerCreating`)."""
        ...
