"""The scheduling framework: what a plugin may be asked, and how it answers (pkg/scheduler/framework).

A plugin implements one or more extension points as methods; the profile lists it under each it has:

    key                      QueueSort: the order of the active queue
    pre_enqueue              PreEnqueue: may this pod be considered at all
    pre_filter               PreFilter: look at the pod once, before the nodes; may name the only nodes to look at
    filter                   Filter: can this pod run on this node
    post_filter              PostFilter: no node was found; why not, and what would help
    pre_score, score         Score: how good is this node; `normalize` brings the scores to 0..100
    reserve, unreserve       Reserve: take what the pod will need; give it back
    permit                   Permit: wait or refuse, just before binding; who waits is let go by another (waiting_pods.py)
    pre_bind, bind, post_bind

It declares beside them what it goes by, and the scheduler derives the rest:

    reads        the fields of a pod it looks at. Pods that agree in the fields of all plugins are of one shape and share answers.
    depends_on   what else a Filter or Score depends on: STATIC (the node object alone), NODE (also the pods on that node),
                 CLUSTER (pods anywhere; see RelationPlugin). Answers are kept and given again accordingly.
    wakes        which changes in the cluster can help a pod it refused (EventsToRegister), each with a hint (QueueingHint) that
                 looks closer. Only pods refused by plugins that care are tried again.

What PreFilter puts into a pod's CycleState is there for everything after it, up to PostBind. PreFilter to Permit run in the
scheduling cycle, one pod after the other and without a pause; PreBind and Bind may wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from typing import Any, Protocol

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.pod_info import PodInfo, QueuedPod, Reads

MAX_NODE_SCORE = 100


class Code(Enum):
    UNSCHEDULABLE = "Unschedulable"
    """Not now; removing pods could help."""
    UNRESOLVABLE = "UnschedulableAndUnresolvable"
    """Removing pods would not help."""
    SKIP = "Skip"
    """Of PreFilter and PreScore: the plugin's Filter, or Score, has nothing to say of this pod. Of Bind: another plugin is to bind it."""
    ERROR = "Error"


class DependsOn(Enum):
    STATIC = 0
    NODE = 1
    CLUSTER = 2


@dataclass(frozen=True, slots=True)
class Status:
    """A refusal with its reasons, as they are counted in `0/3 nodes are available: ...`. None stands for success."""

    code: Code
    reasons: tuple[str, ...]
    plugin: str = ""


class PluginError(Exception):
    """A plugin or an extender failed, in upstream's words; the pod is tried again after its back-off."""


def unschedulable(plugin: str, *reasons: str) -> Status:
    return Status(Code.UNSCHEDULABLE, reasons, plugin)


def unresolvable(plugin: str, *reasons: str) -> Status:
    return Status(Code.UNRESOLVABLE, reasons, plugin)


@dataclass(slots=True)
class CycleState:
    """What plugins remember within one scheduling cycle, by their own names. `reusable`: a PreFilter that says no makes every pod
    be looked at anew, for what it found out goes for this pod alone."""

    data: dict[str, Any] = field(default_factory=dict)
    reusable: bool = True
    local: bool = True
    """No filter looks at pods on other nodes."""

    def clone(self) -> CycleState:
        """For one pod of the shape whose PreFilter filled this."""
        return CycleState(dict(self.data), self.reusable, self.local)


class ClusterEvent(Flag):
    """What of the cluster changed."""

    NODE_ADD = auto()
    NODE_ALLOCATABLE = auto()
    NODE_LABEL = auto()
    NODE_TAINT = auto()
    NODE_DELETE = auto()
    ASSIGNED_POD_ADD = auto()
    ASSIGNED_POD_UPDATE = auto()
    """Its labels, or that it is being deleted."""
    ASSIGNED_POD_DELETE = auto()
    PERSISTENT_VOLUME = auto()
    STORAGE_CLASS = auto()
    CSI_NODE = auto()
    VOLUME_ATTACHMENT_DELETE = auto()
    RESOURCE_CLAIM = auto()
    RESOURCE_SLICE = auto()
    DEVICE_CLASS = auto()


Hint = Callable[[PodInfo, NodeInfo | None], bool]
"""Whether a change could help this pod; with the changed node, where a node changed."""


def always(pod: PodInfo, node: NodeInfo | None) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Wake:
    on: ClusterEvent
    hint: Hint = always


class Plugin(Protocol):
    name: str
    reads: Reads


class Refusing(Plugin, Protocol):
    """A plugin that may refuse a pod."""

    @property
    def wakes(self) -> tuple[Wake, ...]: ...


class QueueSortPlugin(Plugin, Protocol):
    def key(self, queued: QueuedPod) -> tuple[Any, ...]:
        """Pods are taken in ascending order of this key."""
        ...


class PreEnqueuePlugin(Refusing, Protocol):
    def pre_enqueue(self, pod: PodInfo) -> Status | None: ...


class PreFilterPlugin(Refusing, Protocol):
    def pre_filter(self, state: CycleState, pod: PodInfo, cache: Cache) -> Status | frozenset[str] | None:
        """A refusal; or the names of the only nodes that can do; None for all. `cache` has the nodes and their pods."""
        ...


class FilterPlugin(Refusing, Protocol):
    depends_on: DependsOn

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None: ...


@dataclass(frozen=True, slots=True)
class Nomination:
    """The node a pod will get once the victims on it are gone."""

    node: str
    victims: tuple[PodInfo, ...]
    violations: int = 0
    """How many of the victims a PodDisruptionBudget would keep."""
    others: tuple[Nomination, ...] = ()
    """What would do too, where an extender may want to choose."""


Passes = Callable[[CycleState, PodInfo, NodeInfo], Status | None]
"""All filters for one node as it is now: why not, or None."""


class PostFilterPlugin(Plugin, Protocol):
    def post_filter(
        self, state: CycleState, pod: PodInfo, statuses: Mapping[str, Status], node_count: int, cache: Cache, passes: Passes
    ) -> Nomination | str:
        """What would help: then no further plugin is asked. Else a sentence for the pod's condition, '' for nothing to say."""
        ...


class PreScorePlugin(Plugin, Protocol):
    """Of plugins from outside; the others need none."""

    def pre_score(self, state: CycleState, pod: PodInfo, nodes: Sequence[NodeInfo]) -> Status | None:
        """Looks at the feasible nodes once, before they are scored."""
        ...


class ScorePlugin(Plugin, Protocol):
    depends_on: DependsOn

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        """0..100, or anything where `normalize` brings it there."""
        ...

    def normalize(self, scores: dict[str, int]) -> dict[str, int]:
        """Node name to score, over all feasible nodes. What becomes of a score depends on it and the maximum of all scores alone."""
        ...


@dataclass(frozen=True, slots=True)
class FeasibleGroup:
    """Nodes that are the same to all plugins that look at the whole cluster, by one of them."""

    node: NodeInfo
    size: int


NODE_ITSELF = ""
"""As a topology key: each node is different."""


class RelationPlugin(FilterPlugin, ScorePlugin, Protocol):
    """A plugin that goes by pods anywhere (CLUSTER). To it nodes with the same values of some labels are the same, so that it is asked
    about groups of nodes. What PreFilter gives it must stay true while pods come and go, as long as `version` is the same."""

    @property
    def version(self) -> int: ...

    def topology_keys(self, pod: PodInfo) -> frozenset[str]:
        """The labels it goes by for this pod; none where it has nothing to say of it."""
        ...

    def begin(self, state: CycleState) -> bool:
        """Before it is asked to filter for the next pod of the shape. Whether its answers may be others now for every group; else they
        are only for those that share the value of a label with a node whose pods have changed."""
        ...

    def pre_score(self, state: CycleState, groups: Callable[[], Sequence[FeasibleGroup]]) -> bool:
        """When other nodes are feasible than before: whether scores may be others now for every group."""
        ...


class ReservePlugin(Refusing, Protocol):
    """In memory and at once: the next pod must see what was taken."""

    def reserve(self, state: CycleState, pod: PodInfo, node: str) -> Status | None: ...

    def unreserve(self, state: CycleState, pod: PodInfo, node: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Wait:
    """The pod keeps its node, and is bound only when the plugin allows it; it is refused when that has not come within `seconds`."""

    seconds: float


class PermitPlugin(Refusing, Protocol):
    def permit(self, state: CycleState, pod: PodInfo, node: str) -> Status | Wait | None: ...


class PreBindPlugin(Refusing, Protocol):
    async def pre_bind(self, state: CycleState, pod: PodInfo, node: str) -> Status | None: ...


class BindPlugin(Plugin, Protocol):
    async def bind(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        """None when bound; SKIP for whom another plugin is to bind. Raises ApiError where the API server refuses."""
        ...


class PostBindPlugin(Plugin, Protocol):
    def post_bind(self, state: CycleState, pod: PodInfo, node: str) -> None: ...


def normalize_by_maximum(scores: dict[str, int], *, reverse: bool = False) -> dict[str, int]:
    """Scale so that the best has 100 (DefaultNormalizeScore); with `reverse` the lowest is best."""
    highest = max(scores.values(), default=0)
    if highest == 0:
        return dict.fromkeys(scores, MAX_NODE_SCORE if reverse else 0)
    scaled = {name: MAX_NODE_SCORE * score // highest for name, score in scores.items()}
    return {name: MAX_NODE_SCORE - score for name, score in scaled.items()} if reverse else scaled
