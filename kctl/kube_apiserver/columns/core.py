"""Table columns of the core group (pods are in pods.py, replication controllers and pod templates in workloads.py)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.columns.columns import AGE, NAME, Column, Columns, age, described
from kctl.kube_apiserver.registry.events import conversion

NONE = "<none>"
UNKNOWN = "<unknown>"
_ROLE_PREFIX = "node-role.kubernetes.io/"
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def created(obj: Object, now: datetime) -> str:
    return age(objects.metadata(obj).get("creationTimestamp"), now)


def format_labels(labels: dict[str, str] | None) -> str:
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) if labels else NONE


def load_balancer_addresses(obj: Object) -> str:
    ingress = (objects.status(obj).get("loadBalancer") or {}).get("ingress") or ()
    shown = {point.get("ip") or point.get("hostname") or "" for point in ingress} - {""}
    return ",".join(sorted(shown))


def _config_map(obj: Object, now: datetime) -> list[Any]:
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [objects.name(obj), count, created(obj, now)]


def _secret(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), obj.get("type") or "", len(obj.get("data") or ()), created(obj, now)]


def _service_account(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), len(obj.get("secrets") or ()), created(obj, now)]


def _namespace(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), objects.status(obj).get("phase") or "", created(obj, now)]


def _external_ip(obj: Object) -> str:
    spec = objects.spec(obj)
    external = list(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(external) or NONE
        case "LoadBalancer":
            balanced = load_balancer_addresses(obj)
            return ",".join(([balanced] if balanced else []) + external) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName") or "")
    return UNKNOWN


def _port(port: dict[str, Any]) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port') or 0}{node}/{port.get('protocol') or ''}"


def _service(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    ports = ",".join(_port(port) for port in spec.get("ports") or ()) or NONE
    return [
        objects.name(obj),
        spec.get("type") or "",
        spec.get("clusterIP") or NONE,
        _external_ip(obj),
        ports,
        created(obj, now),
        format_labels(spec.get("selector")),
    ]


def format_endpoints(obj: Object) -> str:
    subsets = obj.get("subsets") or []
    shown: list[str] = []
    for subset in subsets:
        addresses = [address.get("ip") or "" for address in subset.get("addresses") or ()]
        ports = [port.get("port") or 0 for port in subset.get("ports") or ()]
        if not ports:
            shown += addresses
        for port in ports:
            shown += [f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in addresses]
    if not subsets:
        return NONE
    more = f" + {len(shown) - 3} more..." if len(shown) > 3 else ""
    return ",".join(shown[:3]) + more


def _endpoints(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), format_endpoints(obj), created(obj, now)]


def node_roles(obj: Object) -> str:
    roles = set()
    for key, value in objects.labels(obj).items():
        if key.startswith(_ROLE_PREFIX) and len(key) > len(_ROLE_PREFIX):
            roles.add(key[len(_ROLE_PREFIX) :])
        elif key == "kubernetes.io/role" and value:
            roles.add(value)
    return ",".join(sorted(roles)) or NONE


def _node_address(obj: Object, kind: str) -> str:
    addresses = objects.status(obj).get("addresses") or ()
    return next((str(address.get("address") or "") for address in addresses if address.get("type") == kind), NONE)


def _node(obj: Object, now: datetime) -> list[Any]:
    ready = objects.condition(obj, "Ready")
    state = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    if objects.spec(obj).get("unschedulable"):
        state += ",SchedulingDisabled"
    info = objects.status(obj).get("nodeInfo") or {}
    kernel = info.get("kernelVersion") or UNKNOWN
    if kernel != UNKNOWN and info.get("architecture"):
        kernel += f" ({info['architecture']})"
    return [
        objects.name(obj),
        state,
        node_roles(obj),
        created(obj, now),
        info.get("kubeletVersion") or "",
        _node_address(obj, "InternalIP"),
        _node_address(obj, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        kernel,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _event(event: Object, now: datetime) -> list[Any]:
    obj = conversion.to_storage(event, event["apiVersion"]) if "regarding" in event else event
    first = age(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    last = age(obj["lastTimestamp"], now) if obj.get("lastTimestamp") else first
    count = obj.get("count") or 1
    series = obj.get("series")
    if series is not None:
        last, count = age(series.get("lastObservedTime"), now), series.get("count") or 0
    about, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    target = (about.get("kind") or "").lower() + (f"/{about['name']}" if about.get("name") else "")
    component = source.get("component") or obj.get("reportingComponent") or ""
    instance = source.get("host") or obj.get("reportingInstance") or ""
    return [
        last,
        obj.get("type") or "",
        obj.get("reason") or "",
        target,
        about.get("fieldPath") or "",
        f"{component}, {instance}" if instance else component,
        (obj.get("message") or "").strip(),
        first,
        count,
        objects.name(obj),
    ]


def access_modes(modes: list[str] | None) -> str:
    return ",".join(short for mode, short in _MODES.items() if mode in (modes or ()))


def _storage_class(obj: Object) -> str:
    return objects.annotations(obj).get(_CLASS_ANNOTATION) or objects.spec(obj).get("storageClassName") or ""


def _size(resources: dict[str, Any] | None) -> str:
    value = (resources or {}).get("storage")
    return "0" if value is None else quantity.canonical(value)


def _phase(obj: Object) -> str:
    return "Terminating" if objects.deletion_timestamp(obj) else str(objects.status(obj).get("phase") or "")


def _volume(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    claim = spec.get("claimRef")
    return [
        objects.name(obj),
        _size(spec.get("capacity")),
        access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy") or "",
        _phase(obj),
        f"{claim.get('namespace') or ''}/{claim.get('name') or ''}" if claim else "",
        _storage_class(obj),
        spec.get("volumeAttributesClassName") or "<unset>",
        objects.status(obj).get("reason") or "",
        created(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]


def _claim(obj: Object, now: datetime) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    bound = bool(spec.get("volumeName"))
    return [
        objects.name(obj),
        _phase(obj),
        spec.get("volumeName") or "",
        _size(status.get("capacity")) if bound else "",
        access_modes(status.get("accessModes")) if bound else "",
        _storage_class(obj),
        spec.get("volumeAttributesClassName") or "<unset>",
        created(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]


def _quota(obj: Object, now: datetime) -> list[Any]:
    status = objects.status(obj)
    hard, used = status.get("hard") or {}, status.get("used") or {}
    cells: dict[bool, list[str]] = {False: [], True: []}
    for name in sorted(hard):
        text = f"{name}: {quantity.canonical(used.get(name, '0'))}/{quantity.canonical(hard[name])}"
        cells[name.startswith("limits.")].append(text)
    return [objects.name(obj), ", ".join(cells[False]), ", ".join(cells[True]), created(obj, now)]


def _component_status(obj: Object, now: datetime) -> list[Any]:
    status, message, error = "Unknown", "", ""
    for condition in obj.get("conditions") or ():
        if condition.get("type") == "Healthy":
            status = "Healthy" if condition.get("status") == "True" else "Unhealthy"
            message, error = condition.get("message") or "", condition.get("error") or ""
            break
    return [objects.name(obj), status, message, error]


COLUMNS: dict[str, Columns] = {
    "configmaps": Columns((NAME, described("Data", "ConfigMap.data"), AGE), _config_map),
    "secrets": Columns((NAME, described("Type", "Secret.type"), described("Data", "Secret.data"), AGE), _secret),
    "serviceaccounts": Columns((NAME, described("Secrets", "ServiceAccount.secrets"), AGE), _service_account),
    "namespaces": Columns((NAME, Column("Status", "The status of the namespace"), AGE), _namespace),
    "endpoints": Columns((NAME, described("Endpoints", "Endpoints.subsets"), AGE), _endpoints),
    "services": Columns(
        (
            NAME,
            described("Type", "ServiceSpec.type"),
            described("Cluster-IP", "ServiceSpec.clusterIP"),
            described("External-IP", "ServiceSpec.externalIPs"),
            described("Port(s)", "ServiceSpec.ports"),
            AGE,
            described("Selector", "ServiceSpec.selector", priority=1),
        ),
        _service,
    ),
    "nodes": Columns(
        (
            NAME,
            Column("Status", "The status of the node"),
            Column("Roles", "The roles of the node"),
            AGE,
            described("Version", "NodeSystemInfo.kubeletVersion"),
            described("Internal-IP", "NodeStatus.addresses", priority=1),
            described("External-IP", "NodeStatus.addresses", priority=1),
            described("OS-Image", "NodeSystemInfo.osImage", priority=1),
            described("Kernel-Version", "NodeSystemInfo.kernelVersion", priority=1),
            described("Container-Runtime", "NodeSystemInfo.containerRuntimeVersion", priority=1),
        ),
        _node,
    ),
    "events": Columns(
        (
            described("Last Seen", "Event.lastTimestamp"),
            described("Type", "core.v1.Event.type"),
            described("Reason", "core.v1.Event.reason"),
            described("Object", "Event.involvedObject"),
            described("Subobject", "ObjectReference.fieldPath", priority=1),
            described("Source", "Event.source", priority=1),
            described("Message", "Event.message"),
            described("First Seen", "Event.firstTimestamp", priority=1),
            described("Count", "Event.count", priority=1),
            Column("Name", NAME.description, format="name", priority=1),
        ),
        _event,
    ),
    "persistentvolumes": Columns(
        (
            NAME,
            described("Capacity", "PersistentVolumeSpec.capacity"),
            described("Access Modes", "PersistentVolumeSpec.accessModes"),
            described("Reclaim Policy", "PersistentVolumeSpec.persistentVolumeReclaimPolicy"),
            described("Status", "PersistentVolumeStatus.phase"),
            described("Claim", "PersistentVolumeSpec.claimRef"),
            Column("StorageClass", "StorageClass of the pv"),
            Column("VolumeAttributesClass", "VolumeAttributesClass of the pv"),
            described("Reason", "PersistentVolumeStatus.reason"),
            AGE,
            described("VolumeMode", "PersistentVolumeSpec.volumeMode", priority=1),
        ),
        _volume,
    ),
    "persistentvolumeclaims": Columns(
        (
            NAME,
            described("Status", "PersistentVolumeClaimStatus.phase"),
            described("Volume", "PersistentVolumeClaimSpec.volumeName"),
            described("Capacity", "PersistentVolumeClaimStatus.capacity"),
            described("Access Modes", "PersistentVolumeClaimStatus.accessModes"),
            Column("StorageClass", "StorageClass of the pvc"),
            Column("VolumeAttributesClass", "VolumeAttributesClass of the pvc"),
            AGE,
            described("VolumeMode", "PersistentVolumeClaimSpec.volumeMode", priority=1),
        ),
        _claim,
    ),
    "resourcequotas": Columns(
        (
            NAME,
            Column("Request", "Request represents a minimum amount of cpu/memory that a container may consume."),
            Column(
                "Limit",
                "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.",
            ),
            AGE,
        ),
        _quota,
    ),
    "componentstatuses": Columns(
        (
            NAME,
            Column("Status", "Status of the component conditions"),
            Column("Message", "Message of the component conditions"),
            Column("Error", "Error of the component conditions"),
        ),
        _component_status,
    ),
}
COLUMNS["events.events.k8s.io"] = COLUMNS["events"]
