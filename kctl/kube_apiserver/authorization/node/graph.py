"""What a node has to do with an object: upstream's graph of node <- pod <- secret, ..., answered from the watch caches.

Nothing is kept but which pods are on which node, and that only once a kubelet has asked: a cluster whose nodes never ask for a Secret
pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, built_in
from kctl.kube_apiserver.storage import Storage
from kctl.kube_apiserver.watch_cache import Change

PERSISTENT_VOLUMES = built_in("v1", "PersistentVolume")
CLAIMS = built_in("v1", "PersistentVolumeClaim")
ATTACHMENTS = built_in("storage.k8s.io/v1", "VolumeAttachment")
SLICES = built_in("resource.k8s.io/v1", "ResourceSlice")
CERTIFICATE_REQUESTS = built_in("certificates.k8s.io/v1", "PodCertificateRequest")


class NodeGraph:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._pods: dict[str, dict[str, Object]] | None = None
        """By node: key to pod."""

    # ---- pods of a node

    def _pods_of(self, node: str) -> Iterable[Object]:
        if self._pods is None:
            self._pods = {}
            cache = self._storage.cache_of(PODS)
            for key, entry in cache.entries.items():
                self._put(key, entry.object)
            cache.follow(self._follow)
        return self._pods.get(node, {}).values()

    def _follow(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.old is not None:
                self._drop(change.key, change.old)
            if change.type != "DELETED":
                self._put(change.key, change.entry.object)
            else:
                self._drop(change.key, change.entry.object)

    def _put(self, key: str, pod: Object) -> None:
        node = pod["spec"].get("nodeName")
        if node and self._pods is not None:
            self._pods.setdefault(node, {})[key] = pod

    def _drop(self, key: str, pod: Object) -> None:
        node = pod["spec"].get("nodeName")
        pods = self._pods.get(node) if node and self._pods is not None else None
        if pods is not None:
            pods.pop(key, None)
            if not pods and self._pods is not None:
                del self._pods[node]

    def _pods_in(self, node: str, namespace: str) -> Iterator[Object]:
        return (pod for pod in self._pods_of(node) if pod["metadata"]["namespace"] == namespace)

    # ---- relations

    def has_pod(self, node: str, namespace: str, name: str) -> bool:
        pod = self._storage.get_cached(PODS, namespace, name)
        return pod is not None and pod["spec"].get("nodeName") == node

    def has_account(self, node: str, namespace: str, name: str) -> bool:
        return any(pod["spec"].get("serviceAccountName") == name for pod in self._pods_in(node, namespace))

    def has_config_map(self, node: str, namespace: str, name: str) -> bool:
        return any(name in _config_maps(pod) for pod in self._pods_in(node, namespace))

    def has_secret(self, node: str, namespace: str, name: str) -> bool:
        """Of a pod, or of a volume that a pod's claim is bound to."""
        if any(name in _secrets(pod) for pod in self._pods_in(node, namespace)):
            return True
        return any((namespace, name) in _volume_secrets(volume) for volume in self._volumes_of(node))

    def has_claim(self, node: str, namespace: str, name: str) -> bool:
        return any(name in _claims(pod) for pod in self._pods_in(node, namespace))

    def has_volume(self, node: str, name: str) -> bool:
        volume = self._storage.get_cached(PERSISTENT_VOLUMES, "", name)
        return volume is not None and self._uses(node, volume)

    def has_resource_claim(self, node: str, namespace: str, name: str) -> bool:
        return any(name in _resource_claims(pod) for pod in self._pods_in(node, namespace))

    def has_attachment(self, node: str, name: str) -> bool:
        attachment = self._storage.get_cached(ATTACHMENTS, "", name)
        return attachment is not None and attachment["spec"].get("nodeName") == node

    def has_slice(self, node: str, name: str) -> bool:
        present = self._storage.get_cached(SLICES, "", name)
        return present is not None and present["spec"].get("nodeName") == node

    def has_certificate_request(self, node: str, namespace: str, name: str) -> bool:
        present = self._storage.get_cached(CERTIFICATE_REQUESTS, namespace, name)
        return present is not None and present["spec"].get("nodeName") == node

    def _volumes_of(self, node: str) -> Iterator[Object]:
        return (volume for volume in self._storage.list_cached(PERSISTENT_VOLUMES, "") if self._uses(node, volume))

    def _uses(self, node: str, volume: Object) -> bool:
        claim = volume["spec"].get("claimRef") or {}
        return bool(claim.get("name")) and self.has_claim(node, claim.get("namespace") or "", claim["name"])


def _containers(pod: Object) -> Iterator[dict[str, Any]]:
    for part in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod["spec"].get(part) or ()


def _named(pod: Object, kind: str) -> Iterator[str]:
    """ConfigMaps or Secrets (`kind` configMap, secret) in environments and projected volumes."""
    for container in _containers(pod):
        for source in container.get("envFrom") or ():
            yield (source.get(f"{kind}Ref") or {}).get("name") or ""
        for variable in container.get("env") or ():
            yield ((variable.get("valueFrom") or {}).get(f"{kind}KeyRef") or {}).get("name") or ""
    for volume in pod["spec"].get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield (source.get(kind) or {}).get("name") or ""


def _config_maps(pod: Object) -> set[str]:
    volumes = pod["spec"].get("volumes") or ()
    return {*_named(pod, "configMap"), *((volume.get("configMap") or {}).get("name") or "" for volume in volumes)}


_VOLUME_SECRETS = ("secretRef", "nodePublishSecretRef")


def _secrets(pod: Object) -> set[str]:
    spec = pod["spec"]
    names: set[str] = {*_named(pod, "secret"), *(reference.get("name") or "" for reference in spec.get("imagePullSecrets") or ())}
    for volume in spec.get("volumes") or ():
        for kind, source in volume.items():
            if isinstance(source, dict):
                names.add((source.get("secretName") if kind in ("secret", "azureFile") else "") or "")
                names |= {(source.get(field) or {}).get("name") or "" for field in _VOLUME_SECRETS}
    return names - {""}


def _volume_secrets(volume: Object) -> set[tuple[str, str]]:
    """(namespace, name) of what a PersistentVolume's source refers to; a reference without a namespace is in the claim's."""
    spec = volume["spec"]
    home = (spec.get("claimRef") or {}).get("namespace") or ""
    secrets: set[tuple[str, str]] = set()
    for source in spec.values():
        if not isinstance(source, dict):
            continue
        for field, reference in source.items():
            if field.endswith("SecretRef") or field == "secretRef":
                secrets.add((reference.get("namespace") or home, reference.get("name") or ""))
        if source.get("secretName"):
            secrets.add((source.get("secretNamespace") or home, source["secretName"]))
    return secrets


def _claims(pod: Object) -> set[str]:
    names = set()
    for volume in pod["spec"].get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            names.add(volume["persistentVolumeClaim"].get("claimName"))
        elif volume.get("ephemeral"):
            names.add(f"{pod['metadata']['name']}-{volume['name']}")
    return names


def _resource_claims(pod: Object) -> set[str]:
    made = (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    named = pod["spec"].get("resourceClaims") or ()
    return {status.get("resourceClaimName") or "" for status in (*made, *named)} - {""}
