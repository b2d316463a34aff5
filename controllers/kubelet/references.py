"""Which ConfigMaps, Secrets and claims a pod needs, and what a kubelet says while one is missing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from controllers.kubelet.by_template import ByTemplate
from controllers.runtime import attachments, volumes
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, NAMESPACES, SECRETS, SERVICES, ResourceType, built_in

CONFIG_MAP = "configmap"
SECRET = "secret"
CLAIM = "persistentvolumeclaim"
RESOURCE_CLAIM = "resourceclaim"
SERVICE = "service"
POD = "pod"
ENDPOINT_SLICE, NETWORK_POLICY, NAMESPACE = "endpointslice", "networkpolicy", "namespace"
OF_THE_NETWORK = (SERVICE, ENDPOINT_SLICE, NETWORK_POLICY, NAMESPACE)
"""What a program that runs may meet."""
RUNTIME_CLASS = "runtimeclass"
VOLUME, DRIVER, ATTACHMENT = "persistentvolume", "csidriver", "volumeattachment"
_WORD = {CONFIG_MAP: "ConfigMap", SECRET: "Secret"}

LATER: dict[str, ResourceType] = {
    SECRET: SECRETS,
    CLAIM: volumes.PERSISTENT_VOLUME_CLAIMS,
    VOLUME: volumes.PERSISTENT_VOLUMES,
    DRIVER: attachments.CSI_DRIVERS,
    ATTACHMENT: attachments.VOLUME_ATTACHMENTS,
    RESOURCE_CLAIM: built_in("resource.k8s.io/v1", "ResourceClaim"),
    SERVICE: SERVICES,
    ENDPOINT_SLICE: ENDPOINT_SLICES,
    NETWORK_POLICY: built_in("networking.k8s.io/v1", "NetworkPolicy"),
    NAMESPACE: NAMESPACES,
    RUNTIME_CLASS: built_in("node.k8s.io/v1", "RuntimeClass"),
}
"""The caches that are filled when a pod first needs them: most clusters of simulated pods never need some of them."""

Lookup = Callable[[str, str], Object | None]
"""(kind, 'namespace/name') to the object."""


class Missing(NamedTuple):
    """`key` is namespace/name of what to wait for, `message` the kubelet's words ('' where it says nothing), `volume` '' for the
    environment."""

    kind: str
    key: str
    message: str
    volume: str = ""
    reason: str = "FailedMount"
    """Of the event."""


def missing_volume(pod: Object, lookup: Lookup) -> Missing | None:
    """The first device or volume that is not there; claims before all others, as a kubelet needs their volumes to begin at all."""
    if "resourceClaims" in pod["spec"] and (unprepared := _unprepared_claim(pod, lookup)):
        return unprepared
    if volumes.has_claims(pod):
        waited_for = _unbound_claim(pod, lookup) or _unattached_volume(pod, lookup)
        if waited_for is not None:
            return waited_for
    namespace = objects.namespace(pod)
    for volume, kind, name, items in _mounted(objects.spec(pod).get("volumes")):
        key = f"{namespace}/{name}"
        found = lookup(kind, key)
        if found is None:
            return Missing(kind, key, _volume_message(volume, f'{kind} "{name}" not found'), str(volume["name"]))
        for item in items:
            if not _has_key(found, str(item.get("key"))):
                what = "configmap references non-existent config" if kind == CONFIG_MAP else "references non-existent secret"
                return Missing(kind, key, _volume_message(volume, f"{what} key: {item.get('key')}"), str(volume["name"]))
    return None


@ByTemplate
def _mounted(volumes: Sequence[Object] | None) -> Sequence[tuple[Object, str, str, Sequence[Object]]]:
    """Volume, kind, name and items of everything that must be there."""
    found = []
    for volume in volumes or ():
        for kind, source in _sources(volume):
            name = str(source.get("secretName") or source.get("name") or "")
            if name and not source.get("optional"):
                found.append((volume, kind, name, source.get("items") or ()))
    return found


def _unprepared_claim(pod: Object, lookup: Lookup) -> Missing | None:
    """A ResourceClaim that is not reserved for the pod yet. Drivers are simulated: what is reserved is prepared."""
    from controllers.runtime import resource_claims

    for use in resource_claims.uses_of(pod):
        if not use.claim:
            continue
        key = f"{objects.namespace(pod)}/{use.claim}"
        claim = lookup(RESOURCE_CLAIM, key)
        if claim is not None and resource_claims.is_reserved_for(pod, claim):
            continue
        if claim is None:
            why = f"failed to fetch ResourceClaim {use.claim} referenced by pod {objects.name(pod)}: "
            why += f'resourceclaims.resource.k8s.io "{use.claim}" not found'
        else:
            who, what = f"{objects.name(pod)} ({objects.uid(pod)})", f"{use.claim} ({objects.uid(claim)})"
            why = f"pod {who} is not allowed to use ResourceClaim {what}"
        message = f"Failed to prepare dynamic resources: prepare dynamic resources: {why}"
        return Missing(RESOURCE_CLAIM, key, message, reason="FailedPrepareDynamicResources")
    return None


def _unbound_claim(pod: Object, lookup: Lookup) -> Missing | None:
    for use in volumes.uses_of(pod):
        key = f"{objects.namespace(pod)}/{use.claim}"
        claim = lookup(CLAIM, key)
        if claim is None:
            why = f'failed to fetch PVC from API server: persistentvolumeclaims "{use.claim}" not found'
        elif objects.deletion_timestamp(claim):
            why = "PVC is being deleted"
        elif objects.status(claim).get("phase") != "Bound":
            why = "PVC is not bound"
        elif use.ephemeral and (foreign := volumes.foreign_owner(pod, claim)):
            why = foreign
        else:
            continue
        message = (
            f"Unable to attach or mount volumes: unmounted volumes=[{use.volume}], unattached volumes=[], "
            f"failed to process volumes=[{use.volume}]: error processing PVC {key}: {why}"
        )
        return Missing(CLAIM, key, message, use.volume)
    return None


def _unattached_volume(pod: Object, lookup: Lookup) -> Missing | None:
    """A volume that is not attached to the pod's node yet. Why is the controller's to say."""
    for use in volumes.uses_of(pod):
        claim = lookup(CLAIM, f"{objects.namespace(pod)}/{use.claim}") or {}
        volume = lookup(VOLUME, str(objects.spec(claim).get("volumeName") or ""))
        if volume is None or not attachments.needs_attaching(volume, lookup(DRIVER, attachments.driver_of(volume))):
            continue
        name = attachments.attachment_name(volume, str(objects.spec(pod).get("nodeName") or ""))
        if not attachments.is_attached(lookup(ATTACHMENT, name)):
            return Missing(ATTACHMENT, name, "", use.volume)
    return None


def _volume_message(volume: Object, why: str) -> str:
    return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {why}'


def _sources(volume: Object) -> Iterator[tuple[str, Object]]:
    if "configMap" in volume:
        yield CONFIG_MAP, volume["configMap"]
    elif "secret" in volume:
        yield SECRET, volume["secret"]
    elif "projected" in volume:
        for source in volume["projected"].get("sources") or ():
            if "configMap" in source:
                yield CONFIG_MAP, source["configMap"]
            elif "secret" in source:
                yield SECRET, source["secret"]


def missing_environment(pod: Object, container: Object, lookup: Lookup) -> Missing | None:
    """The first env or envFrom source of a container that does not exist."""
    env, env_from = container.get("env"), container.get("envFrom")
    if not env and not env_from:
        return None
    for kind, source, field in _environment(env or (), env_from or ()):
        name = str(source.get("name") or "")
        if source.get("optional"):
            continue
        key = f"{objects.namespace(pod)}/{name}"
        found = lookup(kind, key)
        if found is None:
            return Missing(kind, key, f'{kind} "{name}" not found')
        if field and not _has_key(found, field):
            return Missing(kind, key, f"couldn't find key {field} in {_WORD[kind]} {key}")
    return None


def _environment(env: object, env_from: object) -> Iterator[tuple[str, Object, str]]:
    assert isinstance(env, list | tuple) and isinstance(env_from, list | tuple)
    for entry in env_from:
        if "configMapRef" in entry:
            yield CONFIG_MAP, entry["configMapRef"], ""
        elif "secretRef" in entry:
            yield SECRET, entry["secretRef"], ""
    for entry in env:
        source = entry.get("valueFrom") or {}
        if "configMapKeyRef" in source:
            yield CONFIG_MAP, source["configMapKeyRef"], str(source["configMapKeyRef"].get("key") or "")
        elif "secretKeyRef" in source:
            yield SECRET, source["secretKeyRef"], str(source["secretKeyRef"].get("key") or "")


def _has_key(obj: Object, key: str) -> bool:
    return key in (obj.get("data") or ()) or key in (obj.get("binaryData") or ())


def kinds_of(pod: Object) -> list[str]:
    """Which of the caches that are filled when they are first needed this pod needs: of Secrets, claims, what the network is made of."""
    spec = objects.spec(pod)
    kinds = _kinds_in(spec.get("containers"), spec.get("initContainers"), spec.get("volumes"))
    if "resourceClaims" in spec:
        kinds = [*kinds, RESOURCE_CLAIM]
    return [*kinds, CLAIM, VOLUME, DRIVER, ATTACHMENT] if volumes.has_claims(pod) else kinds


@ByTemplate
def _kinds_in(containers: Sequence[Object] | None, init: Sequence[Object] | None, volumes: Sequence[Object] | None) -> list[str]:
    every = [*(init or ()), *(containers or ())]
    kinds = [SECRET] if _uses_secrets(every, volumes or ()) else []
    if any(container.get("command") or container.get("args") for container in every):
        kinds += OF_THE_NETWORK  # its variables tell of services too
    return kinds


def _uses_secrets(containers: Sequence[Object], volumes: Sequence[Object]) -> bool:
    if any(kind == SECRET for volume in volumes for kind, _ in _sources(volume)):
        return True
    return any(
        kind == SECRET
        for container in containers
        for kind, _, _ in _environment(container.get("env") or (), container.get("envFrom") or ())
    )
