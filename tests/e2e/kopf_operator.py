"""An operator written with kopf: each Gauge gets a ConfigMap of its own and a status, and is let go by a finalizer. Not a test itself."""

from typing import Any

import kopf
from kubernetes import client, config

GROUP, PLURAL = "kopf.example.com", "gauges"


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    config.load_kube_config()
    settings.posting.enabled = False
    settings.persistence.finalizer = f"{GROUP}/let-go"


@kopf.on.create(GROUP, "v1", PLURAL)
def created(spec: Any, name: str, namespace: str, **_: Any) -> dict[str, Any]:
    body = {"metadata": {"name": f"{name}-target"}, "data": {"target": str(spec["target"])}}
    kopf.adopt(body)
    client.CoreV1Api().create_namespaced_config_map(namespace, body)
    return {"configMap": body["metadata"]["name"]}


@kopf.on.update(GROUP, "v1", PLURAL, field="spec.target")
def updated(new: Any, name: str, namespace: str, patch: kopf.Patch, **_: Any) -> None:
    client.CoreV1Api().patch_namespaced_config_map(f"{name}-target", namespace, {"data": {"target": str(new)}})
    patch.status["target"] = new


@kopf.on.delete(GROUP, "v1", PLURAL)
def deleted(name: str, namespace: str, **_: Any) -> None:
    client.CoreV1Api().create_namespaced_config_map(namespace, {"metadata": {"name": f"{name}-gone"}})
