"""The permission to approve or sign for a signer: a verb on `signers` with its name, or with its domain and an asterisk."""

from __future__ import annotations

from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.registry.strategy import Context

_GROUP = "certificates.k8s.io"


def may(context: Context, verb: str, signer: str) -> bool:
    authorization = context.authorization
    if authorization is None:
        return True
    domain = signer.partition("/")[0]
    return any(
        authorization.allows(Attributes(context.user, verb, _GROUP, "*", "signers", "", "", name)) for name in (signer, f"{domain}/*")
    )
