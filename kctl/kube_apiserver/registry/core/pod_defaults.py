"""Go's defaulting of pod specs (SetDefaults_PodSpec and everything below it), for pods and for pod templates.

Everything here changes the private object it is given and depends on nothing but the spec, so one defaulted template
can serve any number of pods.
"""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import quantity

Spec = dict[str, Any]

FILE_MODE = 0o644
_MODES = ("secret", "configMap", "downwardAPI", "projected")
_VOLUME_DEFAULTS: dict[str, dict[str, Any]] = {
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
    "hostPath": {"type": ""},
}


def default_pod_template(template: Spec | None) -> None:
    """The spec of a PodTemplateSpec, as embedded in workloads."""
    if template is not None:
        default_pod_spec(template.setdefault("spec", {}))


def default_pod(spec: Spec) -> None:
    """A pod's own spec: what templates get, and what only pods get."""
    default_pod_spec(spec)
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        _default_requests(container)
    _default_pod_level_requests(spec)
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    if spec.get("hostNetwork"):
        for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
            for port in container.get("ports") or ():
                if not port.get("hostPort"):
                    port["hostPort"] = port.get("containerPort", 0)


def default_pod_spec(spec: Spec) -> None:
    """SetDefaults_PodSpec and the defaults of all its parts."""
    for volume in spec.get("volumes") or ():
        _default_volume(volume)
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            _default_container(container)
    if not spec.get("restartPolicy"):
        spec["restartPolicy"] = "Always"
    if spec.get("terminationGracePeriodSeconds") is None:
        spec["terminationGracePeriodSeconds"] = 30
    if not spec.get("dnsPolicy"):
        spec["dnsPolicy"] = "ClusterFirst"
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    if not spec.get("schedulerName"):
        spec["schedulerName"] = "default-scheduler"
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    if spec.get("overhead"):
        _round_to_milli(spec["overhead"])


def image_pull_policy(image: str) -> str:
    """Always for a latest or missing tag, IfNotPresent for any other tag or a digest."""
    if "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "IfNotPresent" if tag and tag != "latest" else "Always"


def _default_container(container: Spec) -> None:
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = image_pull_policy(container.get("image") or "")
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    for port in container.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for variable in container.get("env") or ():
        _default_env(variable)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe) is not None:
            _default_probe(container[probe])
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict) and handler.get("httpGet") is not None:
            _default_http_get(handler["httpGet"])
    resources = container.setdefault("resources", {})
    for field in ("limits", "requests"):
        if resources.get(field):
            _round_to_milli(resources[field])
    context = container.get("securityContext")
    if context and context.get("procMount") == "":
        del context["procMount"]


def _default_env(variable: Spec) -> None:
    source = variable.get("valueFrom")
    if not source:
        return
    if source.get("fieldRef") is not None and not source["fieldRef"].get("apiVersion"):
        source["fieldRef"]["apiVersion"] = "v1"
    if source.get("resourceFieldRef") is not None:
        source["resourceFieldRef"].setdefault("divisor", "0")
    if source.get("fileKeyRef") is not None and source["fileKeyRef"].get("optional") is None:
        source["fileKeyRef"]["optional"] = False


def _default_probe(probe: Spec) -> None:
    for field, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        if not probe.get(field):
            probe[field] = value
    if probe.get("httpGet") is not None:
        _default_http_get(probe["httpGet"])
    if probe.get("grpc") is not None and probe["grpc"].get("service") is None:
        probe["grpc"]["service"] = ""


def _default_http_get(action: Spec) -> None:
    if not action.get("path"):
        action["path"] = "/"
    if not action.get("scheme"):
        action["scheme"] = "HTTP"


def default_source(volume: Spec) -> None:
    """The storage behind a volume of a pod or a PersistentVolume."""
    for field, defaults in _VOLUME_DEFAULTS.items():
        source = volume.get(field)
        if source is not None:
            for name, value in defaults.items():
                if source.get(name) in (None, ""):
                    source[name] = value


def _default_volume(volume: Spec) -> None:
    if not any(value is not None for field, value in volume.items() if field != "name"):
        volume["emptyDir"] = {}
        return
    for field in _MODES:
        source = volume.get(field)
        if source is not None and source.get("defaultMode") is None:
            source["defaultMode"] = FILE_MODE
    default_source(volume)
    for item in (volume.get("downwardAPI") or {}).get("items") or ():
        _default_downward_item(item)
    for source in (volume.get("projected") or {}).get("sources") or ():
        _default_projection(source)
    if (volume.get("ephemeral") or {}).get("volumeClaimTemplate") is not None:
        default_claim_spec(volume["ephemeral"]["volumeClaimTemplate"].setdefault("spec", {}))
    image = volume.get("image")
    if image is not None and not image.get("pullPolicy"):
        image["pullPolicy"] = image_pull_policy(image.get("reference") or "")


def _default_projection(source: Spec) -> None:
    token = source.get("serviceAccountToken")
    if token is not None and token.get("expirationSeconds") is None:
        token["expirationSeconds"] = 3600
    for item in (source.get("downwardAPI") or {}).get("items") or ():
        _default_downward_item(item)


def _default_downward_item(item: Spec) -> None:
    if item.get("fieldRef") is not None and not item["fieldRef"].get("apiVersion"):
        item["fieldRef"]["apiVersion"] = "v1"
    if item.get("resourceFieldRef") is not None:
        item["resourceFieldRef"].setdefault("divisor", "0")


def default_claim_spec(spec: Spec) -> None:
    """A PersistentVolumeClaimSpec in a template."""
    if spec.get("volumeMode") is None:
        spec["volumeMode"] = "Filesystem"
    for given, missing in (("dataSource", "dataSourceRef"), ("dataSourceRef", "dataSource")):
        if spec.get(given) is not None and spec.get(missing) is None and not spec[given].get("namespace"):
            spec[missing] = dict(spec[given])


def _default_requests(container: Spec) -> None:
    """A limit without a request is also the request."""
    resources = container.get("resources") or {}
    limits = resources.get("limits")
    if not limits:
        return
    requests = resources.setdefault("requests", {})
    for name, value in limits.items():
        requests.setdefault(name, value)


def _is_pod_level(name: str) -> bool:
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def _default_pod_level_requests(spec: Spec) -> None:
    resources = spec.get("resources")
    if not resources or not resources.get("limits"):
        return
    requests = dict(resources.get("requests") or {})
    aggregate: dict[str, str] = {}
    for container in spec.get("containers") or ():
        for name, value in ((container.get("resources") or {}).get("requests") or {}).items():
            aggregate[name] = quantity.add(aggregate[name], value) if name in aggregate else value
    for name, value in aggregate.items():
        if _is_pod_level(name) and name not in requests and not name.startswith("hugepages-"):
            requests[name] = value
    for name, value in resources["limits"].items():
        if _is_pod_level(name):
            requests.setdefault(name, value)
    if requests:
        resources["requests"] = requests


def _round_to_milli(resources: dict[str, str]) -> None:
    for name, value in resources.items():
        if isinstance(value, str) and value[-1:] in ("n", "u"):
            resources[name] = quantity.format_quantity(quantity.parse(quantity.milli(value)) / 1000)
