"""THE table of resource types: group, version, kind, plural, scope, verbs, short names, categories, subresources.

Discovery, routing, RBAC verbs, `kctl api-resources` and short names all read it; nothing else lists kinds.
It holds what a Kubernetes 1.37 API server serves, in the order its discovery lists it (groups by priority, the
preferred version of each first). Custom resources are added to a `ResourceTable` at run time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

ALL_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
NAMESPACED: Final = True
CLUSTER: Final = False


class Subresource(NamedTuple):
    """`group`/`version` are those of the kind it answers with; '' means the parent's own."""

    name: str
    kind: str
    group: str
    version: str
    verbs: tuple[str, ...]


class ResourceType(NamedTuple):
    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    singular: str
    verbs: tuple[str, ...] = ALL_VERBS
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[Subresource, ...] = ()
    storage_version: str = ""
    """The version in which it is stored, where a definition says so; '' for built-in types."""

    @property
    def api_version(self) -> str:
        """v1, apps/v1"""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """pods, deployments.apps"""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def root_path(self) -> str:
        """/api/v1 or /apis/apps/v1"""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection or of one object."""
        parts = [self.root_path]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
            if subresource:
                parts.append(subresource)
        return "/".join(parts)

    def subresource(self, name: str) -> Subresource | None:
        return next((entry for entry in self.subresources if entry.name == name), None)


def _subresources(kind: str, text: str) -> Iterator[Subresource]:
    """`status` and `scale` are short for the usual ones; others read name=Kind[@group/version]:verb,verb."""
    for part in text.split():
        if part == "status":
            yield Subresource("status", kind, "", "", ("get", "patch", "update"))
        elif part == "scale":
            yield Subresource("scale", "Scale", "autoscaling", "v1", ("get", "patch", "update"))
        else:
            name, _, rest = part.partition("=")
            target, _, verbs = rest.partition(":")
            answer, _, group_version = target.partition("@")
            group, _, version = group_version.rpartition("/")
            yield Subresource(name, answer, group, version, tuple(verbs.split(",")))


def _row(
    group: str,
    version: str,
    kind: str,
    plural: str,
    namespaced: bool,
    *,
    singular: str = "",
    verbs: str = "",
    short: str = "",
    categories: str = "",
    sub: str = "",
) -> ResourceType:
    return ResourceType(
        group,
        version,
        kind,
        plural,
        namespaced,
        singular or kind.lower(),
        tuple(verbs.split()) or ALL_VERBS,
        tuple(short.split()),
        tuple(categories.split()),
        tuple(_subresources(kind, sub)),
    )


# fmt: off
BUILT_IN: Final[tuple[ResourceType, ...]] = (
    _row("", "v1", "Binding", "bindings", NAMESPACED, verbs="create"),
    _row("", "v1", "ComponentStatus", "componentstatuses", CLUSTER, verbs="get list", short="cs"),
    _row("", "v1", "ConfigMap", "configmaps", NAMESPACED, short="cm"),
    _row("", "v1", "Endpoints", "endpoints", NAMESPACED, short="ep"),
    _row("", "v1", "Event", "events", NAMESPACED, short="ev"),
    _row("", "v1", "LimitRange", "limitranges", NAMESPACED, short="limits"),
    _row("", "v1", "Namespace", "namespaces", CLUSTER, verbs="create delete get list patch update watch", short="ns", sub="finalize=Namespace:update status"),
    _row("", "v1", "Node", "nodes", CLUSTER, short="no", sub="proxy=NodeProxyOptions:create,delete,get,patch,update status"),
    _row("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", NAMESPACED, short="pvc", sub="status"),
    _row("", "v1", "PersistentVolume", "persistentvolumes", CLUSTER, short="pv", sub="status"),
    _row("", "v1", "Pod", "pods", NAMESPACED, short="po", categories="all", sub="attach=PodAttachOptions:create,get binding=Binding:create ephemeralcontainers=Pod:get,patch,update eviction=Eviction@policy/v1:create exec=PodExecOptions:create,get log=Pod:get portforward=PodPortForwardOptions:create,get proxy=PodProxyOptions:create,delete,get,patch,update resize=Pod:get,patch,update status"),
    _row("", "v1", "PodTemplate", "podtemplates", NAMESPACED),
    _row("", "v1", "ReplicationController", "replicationcontrollers", NAMESPACED, short="rc", categories="all", sub="scale status"),
    _row("", "v1", "ResourceQuota", "resourcequotas", NAMESPACED, short="quota", sub="status"),
    _row("", "v1", "Secret", "secrets", NAMESPACED),
    _row("", "v1", "ServiceAccount", "serviceaccounts", NAMESPACED, short="sa", sub="token=TokenRequest@authentication.k8s.io/v1:create"),
    _row("", "v1", "Service", "services", NAMESPACED, short="svc", categories="all", sub="proxy=ServiceProxyOptions:create,delete,get,patch,update status"),
    _row("apiregistration.k8s.io", "v1", "APIService", "apiservices", CLUSTER, categories="api-extensions", sub="status"),
    _row("apps", "v1", "ControllerRevision", "controllerrevisions", NAMESPACED),
    _row("apps", "v1", "DaemonSet", "daemonsets", NAMESPACED, short="ds", categories="all", sub="status"),
    _row("apps", "v1", "Deployment", "deployments", NAMESPACED, short="deploy", categories="all", sub="scale status"),
    _row("apps", "v1", "ReplicaSet", "replicasets", NAMESPACED, short="rs", categories="all", sub="scale status"),
    _row("apps", "v1", "StatefulSet", "statefulsets", NAMESPACED, short="sts", categories="all", sub="scale status"),
    _row("events.k8s.io", "v1", "Event", "events", NAMESPACED, short="ev"),
    _row("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", CLUSTER, verbs="create"),
    _row("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", CLUSTER, verbs="create"),
    _row("authorization.k8s.io", "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", NAMESPACED, verbs="create"),
    _row("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", CLUSTER, verbs="create"),
    _row("authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", CLUSTER, verbs="create"),
    _row("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", CLUSTER, verbs="create"),
    _row("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", NAMESPACED, short="hpa", categories="all", sub="status"),
    _row("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", NAMESPACED, short="hpa", categories="all", sub="status"),
    _row("batch", "v1", "CronJob", "cronjobs", NAMESPACED, short="cj", categories="all", sub="status"),
    _row("batch", "v1", "Job", "jobs", NAMESPACED, categories="all", sub="status"),
    _row("certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests", CLUSTER, short="csr", sub="approval=CertificateSigningRequest:get,patch,update status"),
    _row("certificates.k8s.io", "v1", "ClusterTrustBundle", "clustertrustbundles", CLUSTER),
    _row("certificates.k8s.io", "v1", "PodCertificateRequest", "podcertificaterequests", NAMESPACED, sub="status"),
    _row("certificates.k8s.io", "v1beta1", "ClusterTrustBundle", "clustertrustbundles", CLUSTER),
    _row("certificates.k8s.io", "v1beta1", "PodCertificateRequest", "podcertificaterequests", NAMESPACED, sub="status"),
    _row("networking.k8s.io", "v1", "IngressClass", "ingressclasses", CLUSTER),
    _row("networking.k8s.io", "v1", "Ingress", "ingresses", NAMESPACED, short="ing", sub="status"),
    _row("networking.k8s.io", "v1", "IPAddress", "ipaddresses", CLUSTER, short="ip"),
    _row("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", NAMESPACED, short="netpol"),
    _row("networking.k8s.io", "v1", "ServiceCIDR", "servicecidrs", CLUSTER, sub="status"),
    _row("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", NAMESPACED, short="pdb", sub="status"),
    _row("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", CLUSTER),
    _row("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", CLUSTER),
    _row("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", NAMESPACED),
    _row("rbac.authorization.k8s.io", "v1", "Role", "roles", NAMESPACED),
    _row("storage.k8s.io", "v1", "CSIDriver", "csidrivers", CLUSTER),
    _row("storage.k8s.io", "v1", "CSINode", "csinodes", CLUSTER),
    _row("storage.k8s.io", "v1", "CSIStorageCapacity", "csistoragecapacities", NAMESPACED),
    _row("storage.k8s.io", "v1", "StorageClass", "storageclasses", CLUSTER, short="sc"),
    _row("storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", CLUSTER, sub="status"),
    _row("storage.k8s.io", "v1", "VolumeAttributesClass", "volumeattributesclasses", CLUSTER, short="vac"),
    _row("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies", CLUSTER, categories="api-extensions"),
    _row("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", CLUSTER, categories="api-extensions"),
    _row("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", CLUSTER, categories="api-extensions"),
    _row("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", CLUSTER, categories="api-extensions", sub="status"),
    _row("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", CLUSTER, categories="api-extensions"),
    _row("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", CLUSTER, categories="api-extensions"),
    _row("admissionregistration.k8s.io", "v1beta1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies", CLUSTER, categories="api-extensions"),
    _row("admissionregistration.k8s.io", "v1beta1", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", CLUSTER, categories="api-extensions"),
    _row("admissionregistration.k8s.io", "v1alpha1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies", CLUSTER, categories="api-extensions"),
    _row("admissionregistration.k8s.io", "v1alpha1", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", CLUSTER, categories="api-extensions"),
    _row("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", CLUSTER, short="crd crds", categories="api-extensions", sub="status"),
    _row("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", CLUSTER, short="pc"),
    _row("scheduling.k8s.io", "v1beta1", "PodGroup", "podgroups", NAMESPACED, sub="status"),
    _row("scheduling.k8s.io", "v1beta1", "Workload", "workloads", NAMESPACED),
    _row("scheduling.k8s.io", "v1alpha3", "CompositePodGroup", "compositepodgroups", NAMESPACED, sub="status"),
    _row("scheduling.k8s.io", "v1alpha3", "PodGroup", "podgroups", NAMESPACED, sub="status"),
    _row("scheduling.k8s.io", "v1alpha3", "Workload", "workloads", NAMESPACED),
    _row("coordination.k8s.io", "v1", "Lease", "leases", NAMESPACED),
    _row("coordination.k8s.io", "v1beta1", "LeaseCandidate", "leasecandidates", NAMESPACED),
    _row("coordination.k8s.io", "v1alpha2", "LeaseCandidate", "leasecandidates", NAMESPACED),
    _row("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", CLUSTER),
    _row("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", NAMESPACED),
    _row("resource.k8s.io", "v1", "DeviceClass", "deviceclasses", CLUSTER),
    _row("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims", NAMESPACED, sub="status"),
    _row("resource.k8s.io", "v1", "ResourceClaimTemplate", "resourceclaimtemplates", NAMESPACED),
    _row("resource.k8s.io", "v1", "ResourceSlice", "resourceslices", CLUSTER),
    _row("resource.k8s.io", "v1", "DeviceTaintRule", "devicetaintrules", CLUSTER, sub="status"),
    _row("resource.k8s.io", "v1beta2", "DeviceClass", "deviceclasses", CLUSTER),
    _row("resource.k8s.io", "v1beta2", "DeviceTaintRule", "devicetaintrules", CLUSTER, sub="status"),
    _row("resource.k8s.io", "v1beta2", "ResourceClaim", "resourceclaims", NAMESPACED, sub="status"),
    _row("resource.k8s.io", "v1beta2", "ResourceClaimTemplate", "resourceclaimtemplates", NAMESPACED),
    _row("resource.k8s.io", "v1beta2", "ResourceSlice", "resourceslices", CLUSTER),
    _row("resource.k8s.io", "v1beta1", "DeviceClass", "deviceclasses", CLUSTER),
    _row("resource.k8s.io", "v1beta1", "ResourceClaim", "resourceclaims", NAMESPACED, sub="status"),
    _row("resource.k8s.io", "v1beta1", "ResourceClaimTemplate", "resourceclaimtemplates", NAMESPACED),
    _row("resource.k8s.io", "v1beta1", "ResourceSlice", "resourceslices", CLUSTER),
    _row("resource.k8s.io", "v1alpha3", "DeviceTaintRule", "devicetaintrules", CLUSTER, sub="status"),
    _row("resource.k8s.io", "v1alpha3", "ResourcePoolStatusRequest", "resourcepoolstatusrequests", CLUSTER, sub="status"),
    _row("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", "flowschemas", CLUSTER, sub="status"),
    _row("flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration", "prioritylevelconfigurations", CLUSTER, sub="status"),
    _row("internal.apiserver.k8s.io", "v1alpha1", "StorageVersion", "storageversions", CLUSTER, sub="status"),
    _row("storagemigration.k8s.io", "v1", "StorageVersionMigration", "storageversionmigrations", CLUSTER, sub="status"),
    _row("storagemigration.k8s.io", "v1beta1", "StorageVersionMigration", "storageversionmigrations", CLUSTER, sub="status"),
    _row("lifecycle.k8s.io", "v1alpha1", "EvictionRequest", "evictionrequests", NAMESPACED, sub="status"),
    _row("lifecycle.k8s.io", "v1alpha1", "Eviction", "evictions", NAMESPACED, sub="status"),
)
# fmt: on
STABLE: Final = tuple(entry for entry in BUILT_IN if "alpha" not in entry.version and "beta" not in entry.version)
"""What a cluster serves by default: alpha and beta versions have to be asked for (--runtime-config)."""


class ResourceTable:
    """Look-ups over resource types. Built-in ones always; custom ones are added and removed as CRDs come and go."""

    def __init__(self, types: Iterable[ResourceType] = BUILT_IN) -> None:
        self._by_path: dict[tuple[str, str, str], ResourceType] = {}
        self._by_kind: dict[tuple[str, str, str], ResourceType] = {}
        self._versions: dict[str, list[str]] = {}
        self._custom: list[ResourceType] = []
        self._custom_groups: frozenset[str] = frozenset()
        self.changes = 0
        """Counts them: who has made something of the table can tell whether it is still right."""
        for entry in types:
            self.add(entry)

    def add(self, entry: ResourceType) -> None:
        self._by_path[entry.group, entry.version, entry.plural] = entry
        self._by_kind[entry.group, entry.version, entry.kind] = entry
        self._versions.clear()
        self.changes += 1

    def _remove(self, entry: ResourceType) -> None:
        self._by_path.pop((entry.group, entry.version, entry.plural), None)
        self._by_kind.pop((entry.group, entry.version, entry.kind), None)
        self._versions.clear()
        self.changes += 1

    def set_custom(self, types: Iterable[ResourceType]) -> None:
        """Exactly these custom resources from now on, in this order, after the built-in types. None of a built-in group."""
        for entry in self._custom:
            self._remove(entry)
        self._custom = list(types)
        self._custom_groups = frozenset(entry.group for entry in self._custom)
        for entry in self._custom:
            self.add(entry)

    def is_custom(self, group: str) -> bool:
        """Whether the group is one of definitions."""
        return group in self._custom_groups

    def __iter__(self) -> Iterator[ResourceType]:
        return iter(tuple(self._by_path.values()))  # definitions come and go while threads make documents of it

    def by_plural(self, group: str, version: str, plural: str) -> ResourceType | None:
        return self._by_path.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> ResourceType | None:
        """`api_version` as objects carry it: v1, apps/v1."""
        group, _, version = api_version.rpartition("/")
        return self._by_kind.get((group, version, kind))

    def preferred(self, group: str, plural: str) -> ResourceType | None:
        """The first (preferred) version of a resource of a group."""
        return next((e for e in self if e.group == group and e.plural == plural), None)

    def stored(self, group: str, plural: str) -> ResourceType | None:
        """The version in which objects of a resource of a group are stored: whatever is served, the same."""
        return next((e for e in BUILT_IN if e.group == group and e.plural == plural), None) or self.preferred(group, plural)

    def versions(self, group: str) -> Sequence[str]:
        """The group's versions, preferred first."""
        known = self._versions.get(group)
        if known is None:
            known = list(dict.fromkeys(entry.version for entry in self if entry.group == group))
            if known:  # what is asked for may be anything
                self._versions[group] = known
        return known


_TABLE: Final = ResourceTable()


def built_in(api_version: str, kind: str) -> ResourceType:
    """A built-in type by apiVersion and kind; KeyError if there is none."""
    found = _TABLE.by_kind(api_version, kind)
    if found is None:
        raise KeyError(f"{api_version} {kind}")
    return found


PODS: Final = built_in("v1", "Pod")
NODES: Final = built_in("v1", "Node")
NAMESPACES: Final = built_in("v1", "Namespace")
SERVICES: Final = built_in("v1", "Service")
SERVICE_ACCOUNTS: Final = built_in("v1", "ServiceAccount")
CONFIG_MAPS: Final = built_in("v1", "ConfigMap")
SECRETS: Final = built_in("v1", "Secret")
EVENTS: Final = built_in("v1", "Event")
ENDPOINTS: Final = built_in("v1", "Endpoints")
REPLICATION_CONTROLLERS: Final = built_in("v1", "ReplicationController")
DEPLOYMENTS: Final = built_in("apps/v1", "Deployment")
REPLICA_SETS: Final = built_in("apps/v1", "ReplicaSet")
STATEFUL_SETS: Final = built_in("apps/v1", "StatefulSet")
DAEMON_SETS: Final = built_in("apps/v1", "DaemonSet")
CONTROLLER_REVISIONS: Final = built_in("apps/v1", "ControllerRevision")
JOBS: Final = built_in("batch/v1", "Job")
CRON_JOBS: Final = built_in("batch/v1", "CronJob")
LEASES: Final = built_in("coordination.k8s.io/v1", "Lease")
ENDPOINT_SLICES: Final = built_in("discovery.k8s.io/v1", "EndpointSlice")
PRIORITY_CLASSES: Final = built_in("scheduling.k8s.io/v1", "PriorityClass")
POD_DISRUPTION_BUDGETS: Final = built_in("policy/v1", "PodDisruptionBudget")
CUSTOM_RESOURCE_DEFINITIONS: Final = built_in("apiextensions.k8s.io/v1", "CustomResourceDefinition")
