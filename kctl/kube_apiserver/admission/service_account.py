"""ServiceAccount: every pod gets an account that exists, its pull secrets, and a volume with a token for it."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import BUILT_IN
from kctl.apimachinery.status import forbidden
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

_ACCOUNTS = next(r for r in BUILT_IN if r.plural == "serviceaccounts" and not r.group)
MIRROR = "kubernetes.io/config.mirror"
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_EXPIRATION = 3607  # an hour and a bit: the kubelet's mark of a token it may extend


class ServiceAccount(AdmissionPlugin):
    """The volume's name is random once for each spec; pods of one template share it."""

    name = "ServiceAccount"
    operations = ("CREATE",)
    per_object = False
    depends_on = (("", "serviceaccounts"),)

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        spec = obj["spec"]
        if MIRROR in (obj["metadata"].get("annotations") or {}):
            self._check_mirror(spec, operation)
            return
        name = spec.get("serviceAccountName") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = context.get(_ACCOUNTS, operation.namespace, name)
        if account is None:
            why = f'error looking up service account {operation.namespace}/{name}: serviceaccount "{name}" not found'
            raise forbidden("", "pods", operation.name, why)
        if _mounts_token(spec, account):
            _mount_token(context, spec)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [{"name": entry.get("name", "")} for entry in account["imagePullSecrets"]]

    def _check_mirror(self, spec: dict[str, Any], operation: Operation) -> None:
        if spec.get("serviceAccountName"):
            raise forbidden("", "pods", operation.name, "a mirror pod may not reference service accounts")


def _mounts_token(spec: dict[str, Any], account: Object) -> bool:
    for holder in (spec, account):
        if holder.get("automountServiceAccountToken") is not None:
            return bool(holder["automountServiceAccountToken"])
    return True


def _mount_token(context: Context, spec: dict[str, Any]) -> None:
    name = ""
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            mounts = container.get("volumeMounts") or []
            if any(mount.get("mountPath") == TOKEN_PATH for mount in mounts):
                continue
            name = name or "kube-api-access-" + "".join(context.randomness.choices(_ALPHABET, k=5))
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": TOKEN_PATH}]
    if name:
        spec["volumes"] = [*(spec.get("volumes") or ()), _token_volume(name)]


def _token_volume(name: str) -> dict[str, Any]:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    authority = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": _EXPIRATION, "path": "token"}},
        {"configMap": authority},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}


PLUGIN = ServiceAccount()
