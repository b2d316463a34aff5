"""Where kustomize looks by default for names, labels, images, ... of built-in kinds (its built-in transformer configuration).

`configurations:` of a kustomization adds to it (TransformerConfig.merged). The tables say the same as kustomize's, shorter: what holds for a
pod spec is said once and put under every kind that has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from kctl.cli.kustomize.field_specs import FieldSpec, merge
from kctl.cli.kustomize.resource import Gvk

_TEMPLATE: Final = "spec/template/spec/"
_CRON_TEMPLATE: Final = "spec/jobTemplate/spec/template/spec/"
_WORKLOADS: Final = ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job")


@dataclass(frozen=True, slots=True)
class NameReferences:
    """Objects of `target` are named by these fields of others."""

    target: Gvk
    referrers: tuple[FieldSpec, ...]


@dataclass(slots=True)
class TransformerConfig:
    name_prefix: list[FieldSpec] = field(default_factory=list)
    name_suffix: list[FieldSpec] = field(default_factory=list)
    namespace: list[FieldSpec] = field(default_factory=list)
    common_labels: list[FieldSpec] = field(default_factory=list)
    template_labels: list[FieldSpec] = field(default_factory=list)
    common_annotations: list[FieldSpec] = field(default_factory=list)
    name_references: list[NameReferences] = field(default_factory=list)
    variable_references: list[FieldSpec] = field(default_factory=list)
    images: list[FieldSpec] = field(default_factory=list)
    replicas: list[FieldSpec] = field(default_factory=list)

    def merged(self, other: TransformerConfig) -> TransformerConfig:
        """Raises CommandError where the two contradict each other."""
        parts: dict[str, Any] = {
            name: merge(getattr(self, name), getattr(other, name)) for name in self.__slots__ if name != "name_references"
        }
        references = {one.target: one.referrers for one in self.name_references}
        for one in other.name_references:
            references[one.target] = tuple(merge(references.get(one.target, ()), one.referrers))
        return TransformerConfig(**parts, name_references=[NameReferences(*one) for one in references.items()])


_FILE_FIELDS: Final = {
    "namePrefix": "name_prefix",
    "nameSuffix": "name_suffix",
    "namespace": "namespace",
    "commonLabels": "common_labels",
    "templateLabels": "template_labels",
    "labels": "common_labels",
    "commonAnnotations": "common_annotations",
    "varReference": "variable_references",
    "images": "images",
    "replicas": "replicas",
}


def config_of(data: Any) -> TransformerConfig:
    """A file of `configurations:`."""
    config = TransformerConfig()
    if not isinstance(data, dict):
        return config
    for name, attribute in _FILE_FIELDS.items():
        getattr(config, attribute).extend(FieldSpec.of(entry) for entry in data.get(name) or () if isinstance(entry, dict))
    for entry in data.get("nameReference") or ():
        target = Gvk(*(str(entry.get(part) or "") for part in ("group", "version", "kind")))
        config.name_references.append(NameReferences(target, tuple(FieldSpec.of(spec) for spec in entry.get("fieldSpecs") or ())))
    return config


def _spec(path: str, kind: str = "", *, group: str = "", version: str = "", create: bool = False) -> FieldSpec:
    return FieldSpec(path, Gvk(group, version, kind), create)


def _of_pod_specs(paths: str, kinds: tuple[str, ...] = _WORKLOADS, *, knative: str = "", pod_version: str = "v1") -> Iterator[FieldSpec]:
    """Paths within a pod spec, under every kind that has one."""
    for path in paths.split():
        yield _spec(f"spec/{path}", "Pod", version=pod_version)
        for kind in kinds:
            yield _spec(_TEMPLATE + path, kind)
        yield _spec(_CRON_TEMPLATE + path, "CronJob")
    for path in knative.split():
        yield _spec(_TEMPLATE + path, "Service", group="serving.knative.dev", version="v1")


def _labels() -> Iterator[FieldSpec]:
    yield _spec("spec/selector", "Service", version="v1", create=True)
    yield _spec("spec/selector", "ReplicationController", version="v1", create=True)
    for kind, group in (("Deployment", ""), ("ReplicaSet", ""), ("DaemonSet", ""), ("StatefulSet", "apps")):
        yield _spec("spec/selector/matchLabels", kind, group=group, create=True)
    for kind in ("Deployment", "StatefulSet"):
        for affinity in ("podAffinity", "podAntiAffinity"):
            base = f"{_TEMPLATE}affinity/{affinity}"
            preferred = "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels"
            yield _spec(f"{base}/{preferred}", kind, group="apps")
            yield _spec(f"{base}/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels", kind, group="apps")
        yield _spec(f"{_TEMPLATE}topologySpreadConstraints/labelSelector/matchLabels", kind, group="apps")
    yield _spec("spec/selector/matchLabels", "Job", group="batch")
    yield _spec("spec/jobTemplate/spec/selector/matchLabels", "CronJob", group="batch")
    yield _spec("spec/selector/matchLabels", "PodDisruptionBudget", group="policy")
    for path in ("spec/podSelector", "spec/ingress/from/podSelector", "spec/egress/to/podSelector"):
        yield _spec(f"{path}/matchLabels", "NetworkPolicy", group="networking.k8s.io")
    yield _spec("metadata/labels", create=True)


def _template_metadata(which: str) -> Iterator[FieldSpec]:
    """spec/template/metadata/labels or annotations."""
    path = f"spec/template/metadata/{which}"
    yield _spec(path, "ReplicationController", version="v1", create=True)
    for kind in ("Deployment", "ReplicaSet", "DaemonSet"):
        yield _spec(path, kind, create=True)
    yield _spec(path, "StatefulSet", group="apps" if which == "labels" else "", create=True)
    yield _spec(path, "Job", group="batch", create=True)
    yield _spec(f"spec/jobTemplate/metadata/{which}", "CronJob", group="batch", create=True)
    yield _spec(f"spec/jobTemplate/{path}", "CronJob", group="batch", create=True)
    if which == "labels":
        yield _spec("spec/volumeClaimTemplates[]/metadata/labels", "StatefulSet", group="apps", create=True)


def _configmap_names() -> Iterator[FieldSpec]:
    both = "env/valueFrom/configMapKeyRef/name envFrom/configMapRef/name"
    paths = " ".join(f"{containers}/{path}" for containers in ("containers", "initContainers") for path in both.split())
    knative = " ".join(f"containers/{path}" for path in both.split())
    yield from _of_pod_specs(f"volumes/configMap/name {paths} volumes/projected/sources/configMap/name", knative=knative)
    yield _spec("spec/configSource/configMap", "Node")
    yield _spec("rules/resourceNames", "Role")
    yield _spec("rules/resourceNames", "ClusterRole")
    yield _spec(r"metadata/annotations/nginx.ingress.kubernetes.io\/fastcgi-params-configmap", "Ingress")


def _secret_names() -> Iterator[FieldSpec]:
    both = "env/valueFrom/secretKeyRef/name envFrom/secretRef/name"
    paths = " ".join(f"{containers}/{path}" for containers in ("containers", "initContainers") for path in both.split())
    more = "imagePullSecrets/name volumes/projected/sources/secret/name"
    yield from _of_pod_specs(f"volumes/secret/secretName {paths} {more}", knative="containers/env/valueFrom/secretKeyRef/name")
    yield _spec("spec/tls/secretName", "Ingress")
    for name in ("ingress", "nginx.ingress"):
        yield _spec(rf"metadata/annotations/{name}.kubernetes.io\/auth-secret", "Ingress")
    yield _spec(r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-tls-secret", "Ingress")
    yield _spec("imagePullSecrets/name", "ServiceAccount")
    for name in ("secretName", "adminSecretName", "userSecretName", "secretRef"):
        yield _spec(f"parameters/{name}", "StorageClass")
    yield _spec("rules/resourceNames", "Role")
    yield _spec("rules/resourceNames", "ClusterRole")
    yield _spec("spec/azureFile/secretName", "PersistentVolume")


def _service_names() -> Iterator[FieldSpec]:
    yield _spec("spec/serviceName", "StatefulSet", group="apps")
    for path in ("spec/rules/http/paths/backend/serviceName", "spec/backend/serviceName"):
        yield _spec(path, "Ingress")
    for path in ("spec/rules/http/paths/backend/service/name", "spec/defaultBackend/service/name"):
        yield _spec(path, "Ingress")
    yield _spec("spec/service/name", "APIService", group="apiregistration.k8s.io")
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        yield _spec("webhooks/clientConfig/service", kind, group="admissionregistration.k8s.io")


_RBAC: Final = "rbac.authorization.k8s.io"
_SOME_WORKLOADS: Final = ("StatefulSet", "Deployment", "ReplicationController", "Job", "DaemonSet")


def _name_references() -> Iterator[tuple[Gvk, list[FieldSpec]]]:
    for kind in ("Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"):
        yield Gvk(kind=kind), [_spec("spec/scaleTargetRef/name", "HorizontalPodAutoscaler")]
    yield Gvk("", "v1", "ConfigMap"), list(_configmap_names())
    yield Gvk("", "v1", "Secret"), list(_secret_names())
    yield Gvk("", "v1", "Service"), list(_service_names())
    yield Gvk(_RBAC, "", "Role"), [_spec("roleRef/name", "RoleBinding", group=_RBAC)]
    bindings = ("RoleBinding", "ClusterRoleBinding")
    yield Gvk(_RBAC, "", "ClusterRole"), [_spec("roleRef/name", kind, group=_RBAC) for kind in bindings]
    accounts = [_spec("subjects", kind, group=_RBAC) for kind in bindings]
    yield Gvk("", "v1", "ServiceAccount"), accounts + list(_of_pod_specs("serviceAccountName", _SOME_WORKLOADS, pod_version=""))
    claims = list(_of_pod_specs("volumes/persistentVolumeClaim/claimName", _SOME_WORKLOADS, pod_version=""))
    yield Gvk("", "v1", "PersistentVolumeClaim"), claims
    volumes = [_spec("spec/volumeName", "PersistentVolumeClaim"), _spec("rules/resourceNames", "ClusterRole")]
    yield Gvk("", "v1", "PersistentVolume"), volumes
    classes = [_spec("spec/storageClassName", kind) for kind in ("PersistentVolume", "PersistentVolumeClaim")]
    classes.append(_spec("spec/volumeClaimTemplates/spec/storageClassName", "StatefulSet"))
    yield Gvk("storage.k8s.io", "v1", "StorageClass"), classes
    priorities = list(_of_pod_specs("priorityClassName", _SOME_WORKLOADS, pod_version=""))
    yield Gvk("scheduling.k8s.io", "v1", "PriorityClass"), priorities
    yield Gvk("networking.k8s.io", "v1", "IngressClass"), [_spec("spec/ingressClassName", "Ingress")]


def _variable_references() -> Iterator[FieldSpec]:
    of_containers = ("args", "command", "env/value", "volumeMounts/mountPath")
    paths = " ".join(f"{containers}/{path}" for containers in ("containers", "initContainers") for path in of_containers)
    yield from _of_pod_specs(f"{paths} volumes/nfs/server", pod_version="")
    for path in ("spec/rules/host", "spec/tls/hosts", "spec/tls/secretName"):
        yield _spec(path, "Ingress")
    for path in ("spec/ports/port", "spec/ports/targetPort"):
        yield _spec(path, "Service")
    yield _spec("spec/volumeClaimTemplates/spec/nfs/server", "StatefulSet")
    yield _spec("spec/nfs/server", "PersistentVolume")
    yield _spec("metadata/labels")
    yield _spec("metadata/annotations")


def default_config() -> TransformerConfig:
    templates = list(_template_metadata("labels"))
    return TransformerConfig(
        name_prefix=[_spec("metadata/name")],
        name_suffix=[_spec("metadata/name")],
        namespace=[
            _spec("metadata/name", "Namespace", create=True),
            _spec("spec/service/namespace", "APIService", group="apiregistration.k8s.io", create=True),
            _spec("spec/conversion/webhook/clientConfig/service/namespace", "CustomResourceDefinition", group="apiextensions.k8s.io"),
        ],
        common_labels=[*_labels(), *templates],
        template_labels=templates,
        common_annotations=[_spec("metadata/annotations", create=True), *_template_metadata("annotations")],
        name_references=[NameReferences(target, tuple(specs)) for target, specs in _name_references()],
        variable_references=list(_variable_references()),
        images=[
            _spec(f"{base}{containers}[]/image", create=True)
            for base in ("spec/", _TEMPLATE)
            for containers in ("containers", "initContainers")
        ],
        replicas=[
            _spec("spec/replicas", kind, create=True) for kind in ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")
        ],
    )
