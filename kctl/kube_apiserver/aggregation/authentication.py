"""kube-system/extension-apiserver-authentication: by which authorities an extension API server knows clients, and this server when it
says for whom it asks."""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS
from kctl.apimachinery.status import AlreadyExists, ApiError
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.caller import Caller
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.registry.registry import Registry

NAMESPACE, NAME = "kube-system", "extension-apiserver-authentication"
CLIENT_NAME = "front-proxy-client"
"""The common name of this server's certificate."""


def contents(config: ApiServerConfig) -> dict[str, str]:
    data = {}
    if config.cluster_ca.startswith(b"-----BEGIN"):
        data["client-ca-file"] = config.cluster_ca.decode()
    if config.requestheader_client_ca:
        data |= {
            "requestheader-allowed-names": f'["{CLIENT_NAME}"]',
            "requestheader-client-ca-file": config.requestheader_client_ca.decode(),
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            "requestheader-username-headers": '["X-Remote-User"]',
        }
    return data


async def publish(registry: Registry) -> None:
    """Write it, or bring it up to date."""
    wanted = contents(registry.parts.config)
    present = registry.get_cached(CONFIG_MAPS, NAMESPACE, NAME)
    if present is not None and (present.get("data") or {}) == wanted:
        return
    endpoint, caller = registry.endpoint(CONFIG_MAPS), Caller(APISERVER, "kube-apiserver", validates=False)
    made: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": NAMESPACE}, "data": wanted}
    try:
        if present is None:
            await endpoint.create(NAMESPACE, endpoint.schema().decode(made).object, caller)
        else:
            await endpoint.update(NAMESPACE, NAME, lambda old: {**old, "data": wanted}, caller)
    except AlreadyExists:
        return
    except ApiError:  # a cluster without kube-system: extension servers cannot read it there either
        return
