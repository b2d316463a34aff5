"""What becomes of a pod that has a node: PreBind, Bind; and how a failure of it is worded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controllers.kube_scheduler.framework import Code, PluginError, Status
from controllers.kube_scheduler.pod_info import PodInfo
from controllers.kube_scheduler.profile import Profile

if TYPE_CHECKING:
    from controllers.kube_scheduler.assignment import Placement
    from controllers.kube_scheduler.extenders import Extenders


async def binding_cycle(profile: Profile, extenders: Extenders | None, info: PodInfo, placement: Placement) -> Status | None:
    """None once the pod is bound."""
    node, state, _ = placement
    for pre_bind in profile.pre_bind:
        if (status := await pre_bind.pre_bind(state, info, node)) is not None:
            return status
    if extenders is not None and await extenders.bind(info, node):
        return None
    for bind in profile.bind:
        status = await bind.bind(state, info, node)
        if status is None or status.code is not Code.SKIP:
            return status
    return Status(Code.ERROR, ("no plugin has bound it",), profile.bind[-1].name)


def told(error: Exception) -> str:
    """Of plugins and extenders upstream's words as they are."""
    return str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
