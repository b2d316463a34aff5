"""ImageLocality: prefers nodes that already have the pod's images, the larger and the more common the better."""

from __future__ import annotations

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import MAX_NODE_SCORE, CycleState, DependsOn
from controllers.kube_scheduler.pod_info import PodInfo, Reads

_MINIMUM = 23 * 1024 * 1024
_MAXIMUM_PER_CONTAINER = 1000 * 1024 * 1024


class ImageLocality:
    name = "ImageLocality"
    depends_on = DependsOn.STATIC
    reads = Reads(containers=("image",))

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        if not node.image_sizes:
            return 0
        spread = node.image_spread
        total = sum(
            int(node.image_sizes[image] * (spread.nodes_with.get(image, 1) / max(spread.nodes, 1)))
            for image in pod.shape.images
            if image in node.image_sizes
        )
        maximum = _MAXIMUM_PER_CONTAINER * max(len(pod.shape.images), 1)
        total = max(_MINIMUM, min(total, maximum))
        return MAX_NODE_SCORE * (total - _MINIMUM) // (maximum - _MINIMUM)

    def normalize(self, scores: dict[str, int]) -> dict[str, int]:
        return scores
