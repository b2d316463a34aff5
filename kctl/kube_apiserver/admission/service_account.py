"""ServiceAccount: every pod gets an account that exists, its pull secrets, and a volume with a token for it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import BUILT_IN
from kctl.apimachinery.status import forbidden
from kctl.kube_apiserver.admission import mountable_secrets
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation, Server
from kctl.kube_apiserver.registry.strategy import Context

_ACCOUNTS = next(r for r in BUILT_IN if r.plural == "serviceaccounts" and not r.group)
MIRROR = "kubernetes.io/config.mirror"
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_VOLUME = "kube-api-access-"
_LIMITS_SECRETS = "kubernetes.io/enforce-mountable-secrets"
WAIT_SECONDS = 1.5
"""As long as upstream tries again on average."""
_EXPIRATION = 3607  # an hour and a bit: the kubelet's mark of a token it may extend


class ServiceAccount(AdmissionPlugin):
    """The volume's name is random once for each spec; pods of one template share it."""

    name = "ServiceAccount"
    operations = ("CREATE",)
    per_object = False
    judges_spec_alone = True
    depends_on = (("", "serviceaccounts"),)

    def __init__(self, server: Server | None = None) -> None:
        self._server = server

    def bind(self, server: Server) -> AdmissionPlugin:
        return ServiceAccount(server)

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        spec = obj["spec"]
        if MIRROR in (obj["metadata"].get("annotations") or {}):
            _check_mirror(spec, operation)
            return None
        name = spec.get("serviceAccountName") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = context.get(_ACCOUNTS, operation.namespace, name)
        if account is None:
            return self._wait(context, obj, name, operation)
        _give(context, spec, account)
        return None

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        spec = obj["spec"]
        if MIRROR in (obj["metadata"].get("annotations") or {}):
            _check_mirror(spec, operation)
            return
        account = context.get(_ACCOUNTS, operation.namespace, spec.get("serviceAccountName") or "")
        if account is not None and objects.annotations(account).get(_LIMITS_SECRETS) == "true":
            why = mountable_secrets.refusal(spec, account)
            if why:
                raise forbidden("", "pods", operation.name, why)

    async def _wait(self, context: Context, obj: Object, name: str, operation: Operation) -> None:
        """A new namespace gets its account `default` from a controller, in a moment."""
        if name == "default" and self._server is not None:
            watcher = self._server.storage.cache_of(_ACCOUNTS).subscribe(None, f"{operation.namespace}/{name}")
            timer = self._server.clock.machine.call_later(WAIT_SECONDS, watcher.close)
            try:
                while context.get(_ACCOUNTS, operation.namespace, name) is None and await watcher.next() is not None:
                    continue
            finally:
                timer.cancel()
                watcher.close()
        account = context.get(_ACCOUNTS, operation.namespace, name)
        if account is None:
            why = f'error looking up service account {operation.namespace}/{name}: serviceaccount "{name}" not found'
            raise forbidden("", "pods", operation.name, why)
        _give(context, obj["spec"], account)


def _give(context: Context, spec: dict[str, Any], account: Object) -> None:
    if _mounts_token(spec, account):
        _mount_token(context, spec)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [{"name": entry.get("name", "")} for entry in account["imagePullSecrets"]]


def _check_mirror(spec: dict[str, Any], operation: Operation) -> None:
    """The kubelet's copy of a static pod has nothing from the API."""
    if spec.get("serviceAccountName"):
        raise forbidden("", "pods", operation.name, "a mirror pod may not reference service accounts")
    if any(True for _ in mountable_secrets.names(spec)):
        raise forbidden("", "pods", operation.name, "a mirror pod may not reference secrets")
    sources = (source for volume in spec.get("volumes") or () for source in (volume.get("projected") or {}).get("sources") or ())
    if any(source.get("serviceAccountToken") is not None for source in sources):
        raise forbidden("", "pods", operation.name, "a mirror pod may not use ServiceAccountToken volume projections")


def _mounts_token(spec: dict[str, Any], account: Object) -> bool:
    for holder in (spec, account):
        if holder.get("automountServiceAccountToken") is not None:
            return bool(holder["automountServiceAccountToken"])
    return True


def _mount_token(context: Context, spec: dict[str, Any]) -> None:
    given = (volume["name"] for volume in spec.get("volumes") or () if volume.get("name", "").startswith(_VOLUME))
    present = name = next(given, "")
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            mounts = container.get("volumeMounts") or []
            if any(mount.get("mountPath") == TOKEN_PATH for mount in mounts):
                continue
            name = name or _VOLUME + "".join(context.randomness.choices(_ALPHABET, k=5))
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": TOKEN_PATH}]
    if name and not present:
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
