"""DynamicResources' words where no pod has had ResourceClaims yet; devices/plugin.py takes its place with the first that has."""

from __future__ import annotations

from collections.abc import Mapping

from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.framework import CycleState, Passes, Status, Wake, unresolvable
from controllers.kube_scheduler.pod_info import PodInfo, Reads


class DynamicResources:
    name = "DynamicResources"
    reads = Reads(spec=("resourceClaims",))
    wakes: tuple[Wake, ...] = ()

    def pre_filter(self, state: CycleState, pod: PodInfo, cache: Cache) -> Status | None:
        if pod.pod["spec"].get("resourceClaims"):
            return unresolvable(self.name, "resource claims are not allocated by this scheduler")  # in a profile without extensions
        return None

    def post_filter(
        self, state: CycleState, pod: PodInfo, statuses: Mapping[str, Status], node_count: int, cache: Cache, passes: Passes
    ) -> str:
        return "no new claims to deallocate"
