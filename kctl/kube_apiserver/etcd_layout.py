"""Where kube-apiserver keeps what in etcd, so that `etcdctl get --prefix /registry` shows a cluster as Kubernetes lays it out.

Our own keys are /registry/<group or core>/<plural>/...; upstream leaves out the group of built-in resources, gives some of them older names
(`GetEtcdStorageData` in its integration tests lists them all), and keeps it for definitions, aggregated APIs and custom resources.
"""

from __future__ import annotations

from functools import cache

from kctl.apimachinery.resources import BUILT_IN

PREFIX = "/registry/"
_OLDER_NAMES = {
    ("core", "endpoints"): "services/endpoints",
    ("core", "nodes"): "minions",
    ("core", "replicationcontrollers"): "controllers",
    ("core", "services"): "services/specs",
    ("networking.k8s.io", "ingresses"): "ingress",
}
_WITH_THEIR_GROUP = ("apiextensions.k8s.io", "apiregistration.k8s.io")


@cache
def _outside() -> dict[tuple[str, str], str]:
    """Of built-in resources, by group and plural. Where two groups have a plural in common, the first one has the short path."""
    paths: dict[tuple[str, str], str] = {}
    for resource in BUILT_IN:
        key = resource.group or "core", resource.plural
        if key in paths:
            continue
        short = _OLDER_NAMES.get(key, resource.plural)
        taken = short in paths.values() or resource.group in _WITH_THEIR_GROUP
        paths[key] = f"{resource.group}/{resource.plural}" if taken else short
    return paths


@cache
def _inside() -> dict[str, tuple[str, str]]:
    return {path: key for key, path in _outside().items()}


class KubernetesLayout:
    """Keeps the contract of store.etcd_cluster.feed.Layout."""

    def outside(self, key: str) -> str:
        parts = key.split("/", 4)
        if len(parts) < 5 or not key.startswith(PREFIX):
            return key
        group, plural, rest = parts[2:]
        path = _outside().get((group, plural)) or f"{group}/{plural}"
        return f"{PREFIX}{path}/{rest}"

    def inside(self, key: str) -> str:
        if not key.startswith(PREFIX):
            return ""
        first, _, rest = key[len(PREFIX) :].partition("/")
        second, _, after = rest.partition("/")
        found = _inside()
        if (known := found.get(f"{first}/{second}")) and after:
            return f"{PREFIX}{known[0]}/{known[1]}/{after}"
        if (known := found.get(first)) and rest:
            return f"{PREFIX}{known[0]}/{known[1]}/{rest}"
        if "." in first and after:  # a custom resource: group and plural as they are
            return key
        return ""
