"""The strategies of certificates.k8s.io, by group resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.certificates import signing_request
from kctl.kube_apiserver.registry.rules.language import field, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context, Strategy


def _selectable(*names_of: str) -> dict[str, Callable[[Object], str]]:
    return {f"spec.{name}": lambda obj, name=name: str(objects.spec(obj).get(name) or "") for name in names_of}  # type: ignore[misc]


def _named_after_signer(signer: str, path: str, root: Any) -> list[FieldError]:
    name, prefix = objects.name(root), signer.replace("/", ":") + ":"
    if not signer:
        why = 'ClusterTrustBundle without signer name must not have ":" in its name'
        return [field_errors.invalid("metadata.name", name, why)] if ":" in name else []
    errors = signing_request.signer_name(path, signer)
    if not name.startswith(prefix):
        why = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
        errors.append(field_errors.invalid("metadata.name", name, why))
    return errors


def _anchors(bundle: str, path: str) -> list[FieldError]:
    return field_checks.required(path, "-----BEGIN CERTIFICATE-----" in bundle, "at least one trust anchor must be provided")


class ClusterTrustBundleStrategy(RuledStrategy):
    has_generation = False
    allow_unconditional_update = False
    name_validator = "path_segment"
    selectable_fields = _selectable("signerName")
    rules = struct(field("spec", struct(field("signerName", _named_after_signer, immutable=True), field("trustBundle", _anchors))))


class PodCertificateRequestStrategy(RuledStrategy):
    has_generation = False
    selectable_fields = _selectable("signerName", "podName", "nodeName")
    rules = struct(
        field(
            "spec",
            struct(
                field("signerName", lambda value, path: signing_request.signer_name(path, value)),
                *(field(name, names.dns1123_subdomain, required=True) for name in ("podName", "serviceAccountName", "nodeName")),
                *(field(name, required=True) for name in ("podUID", "serviceAccountUID", "nodeUID")),
                pointer("maxExpirationSeconds", default=86400),
            ),
            default={},
        )
    )

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return field_checks.immutable("spec", objects.spec(obj), objects.spec(old))


STRATEGIES: dict[str, Strategy] = {
    "certificatesigningrequests.certificates.k8s.io": signing_request.STRATEGY,
    "clustertrustbundles.certificates.k8s.io": ClusterTrustBundleStrategy(),
    "podcertificaterequests.certificates.k8s.io": PodCertificateRequestStrategy(),
}
