"""The Go types of kubescheduler.config.k8s.io/v1: which fields a configuration file may have, and of which type each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

GROUP = "kubescheduler.config.k8s.io"
VERSION = f"{GROUP}/v1"
KIND = "KubeSchedulerConfiguration"

STRING, BOOL, INT32, INT64, FLOAT32, DURATION, BYTES, ANYTHING = "string", "bool", "int32", "int64", "float32", "duration", "bytes", "any"


@dataclass(frozen=True)
class Struct:
    """`fields`: JSON name to type. `package`: of the Go type, as errors name it."""

    name: str
    fields: Mapping[str, Type]
    package: str = "v1"


@dataclass(frozen=True)
class Items:
    of: Type


@dataclass(frozen=True)
class StringMap:
    of: Type = field(default=STRING)


Type = Union[str, Struct, Items, StringMap]  # noqa: UP007  (a name that is used before it is complete)

_TYPE_META: dict[str, Type] = {"kind": STRING, "apiVersion": STRING}

_REQUIREMENT = Struct("NodeSelectorRequirement", {"key": STRING, "operator": STRING, "values": Items(STRING)})
_TERM = Struct("NodeSelectorTerm", {"matchExpressions": Items(_REQUIREMENT), "matchFields": Items(_REQUIREMENT)})
_NODE_SELECTOR = Struct("NodeSelector", {"nodeSelectorTerms": Items(_TERM)})
_PREFERRED_TERM = Struct("PreferredSchedulingTerm", {"weight": INT32, "preference": _TERM})
_NODE_AFFINITY = Struct(
    "NodeAffinity",
    {
        "requiredDuringSchedulingIgnoredDuringExecution": _NODE_SELECTOR,
        "preferredDuringSchedulingIgnoredDuringExecution": Items(_PREFERRED_TERM),
    },
)
_LABEL_REQUIREMENT = Struct("LabelSelectorRequirement", {"key": STRING, "operator": STRING, "values": Items(STRING)})
_LABEL_SELECTOR = Struct("LabelSelector", {"matchLabels": StringMap(), "matchExpressions": Items(_LABEL_REQUIREMENT)})
_SPREAD_CONSTRAINT = Struct(
    "TopologySpreadConstraint",
    {
        "maxSkew": INT32,
        "topologyKey": STRING,
        "whenUnsatisfiable": STRING,
        "labelSelector": _LABEL_SELECTOR,
        "minDomains": INT32,
        "nodeAffinityPolicy": STRING,
        "nodeTaintsPolicy": STRING,
        "matchLabelKeys": Items(STRING),
    },
)

_RESOURCE = Struct("ResourceSpec", {"name": STRING, "weight": INT64})
_POINT = Struct("UtilizationShapePoint", {"utilization": INT32, "score": INT32})
_STRATEGY = Struct(
    "ScoringStrategy",
    {
        "type": STRING,
        "resources": Items(_RESOURCE),
        "requestedToCapacityRatio": Struct("RequestedToCapacityRatioParam", {"shape": Items(_POINT)}),
    },
)

ARGS: dict[str, Struct] = {
    struct.name: struct
    for struct in (
        Struct("DefaultPreemptionArgs", {**_TYPE_META, "minCandidateNodesPercentage": INT32, "minCandidateNodesAbsolute": INT32}),
        Struct("DynamicResourcesArgs", {**_TYPE_META, "filterTimeout": DURATION, "bindingTimeout": DURATION}),
        Struct("InterPodAffinityArgs", {**_TYPE_META, "hardPodAffinityWeight": INT32, "ignorePreferredTermsOfExistingPods": BOOL}),
        Struct("NodeAffinityArgs", {**_TYPE_META, "addedAffinity": _NODE_AFFINITY}),
        Struct("NodeResourcesBalancedAllocationArgs", {**_TYPE_META, "resources": Items(_RESOURCE)}),
        Struct(
            "NodeResourcesFitArgs",
            {
                **_TYPE_META,
                "ignoredResources": Items(STRING),
                "ignoredResourceGroups": Items(STRING),
                "scoringStrategy": _STRATEGY,
            },
        ),
        Struct("PodTopologySpreadArgs", {**_TYPE_META, "defaultConstraints": Items(_SPREAD_CONSTRAINT), "defaultingType": STRING}),
        Struct("VolumeBindingArgs", {**_TYPE_META, "bindTimeoutSeconds": INT64, "shape": Items(_POINT)}),
    )
}
"""Of the plugins that take any, by their kinds."""

POINTS = (
    "preEnqueue",
    "queueSort",
    "preFilter",
    "filter",
    "postFilter",
    "preScore",
    "score",
    "reserve",
    "permit",
    "preBind",
    "bind",
    "postBind",
)
"""Extension points, as they are named in a profile's plugins."""

_PLUGIN = Struct("Plugin", {"name": STRING, "weight": INT32})
_PLUGIN_SET = Struct("PluginSet", {"enabled": Items(_PLUGIN), "disabled": Items(_PLUGIN)})
_PROFILE = Struct(
    "KubeSchedulerProfile",
    {
        "schedulerName": STRING,
        "percentageOfNodesToScore": INT32,
        "plugins": Struct("Plugins", {**dict.fromkeys(POINTS, _PLUGIN_SET), "multiPoint": _PLUGIN_SET}),
        "pluginConfig": Items(Struct("PluginConfig", {"name": STRING, "args": ANYTHING})),
    },
)
_TLS = Struct(
    "ExtenderTLSConfig",
    {
        "insecure": BOOL,
        "serverName": STRING,
        "certFile": STRING,
        "keyFile": STRING,
        "caFile": STRING,
        "certData": BYTES,
        "keyData": BYTES,
        "caData": BYTES,
    },
)
_EXTENDER = Struct(
    "Extender",
    {
        "urlPrefix": STRING,
        "filterVerb": STRING,
        "preemptVerb": STRING,
        "prioritizeVerb": STRING,
        "weight": INT64,
        "bindVerb": STRING,
        "enableHTTPS": BOOL,
        "tlsConfig": _TLS,
        "httpTimeout": DURATION,
        "nodeCacheCapable": BOOL,
        "managedResources": Items(Struct("ExtenderManagedResource", {"name": STRING, "ignoredByScheduler": BOOL})),
        "ignorable": BOOL,
    },
)
_LEADER_ELECTION = Struct(
    "LeaderElectionConfiguration",
    {
        "leaderElect": BOOL,
        "leaseDuration": DURATION,
        "renewDeadline": DURATION,
        "retryPeriod": DURATION,
        "resourceLock": STRING,
        "resourceName": STRING,
        "resourceNamespace": STRING,
    },
    "v1alpha1",
)
_CLIENT_CONNECTION = Struct(
    "ClientConnectionConfiguration",
    {"kubeconfig": STRING, "acceptContentTypes": STRING, "contentType": STRING, "qps": FLOAT32, "burst": INT32},
    "v1alpha1",
)
CONFIGURATION = Struct(
    KIND,
    {
        **_TYPE_META,
        "parallelism": INT32,
        "leaderElection": _LEADER_ELECTION,
        "clientConnection": _CLIENT_CONNECTION,
        "enableProfiling": BOOL,
        "enableContentionProfiling": BOOL,
        "percentageOfNodesToScore": INT32,
        "podInitialBackoffSeconds": INT64,
        "podMaxBackoffSeconds": INT64,
        "profiles": Items(_PROFILE),
        "extenders": Items(_EXTENDER),
        "delayCacheUntilActive": BOOL,
    },
)
