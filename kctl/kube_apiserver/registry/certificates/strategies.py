"""The strategies of certificates.k8s.io, by group resource."""

from __future__ import annotations

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.certificates import signing_request
from kctl.kube_apiserver.registry.strategy import Context, Strategy


class ClusterTrustBundleStrategy(Strategy):
    has_generation = False
    allow_unconditional_update = False
    name_validator = "path_segment"
    selectable_fields = {"spec.signerName": lambda obj: str(objects.spec(obj).get("signerName") or "")}

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec, name = objects.spec(obj), objects.name(obj)
        signer = spec.get("signerName") or ""
        errors: list[FieldError] = []
        prefix = signer.replace("/", ":") + ":"
        if signer:
            errors += signing_request.signer_name("spec.signerName", signer)
            if not name.startswith(prefix):
                why = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
                errors.append(field_errors.invalid("metadata.name", name, why))
        elif ":" in name:
            why = 'ClusterTrustBundle without signer name must not have ":" in its name'
            errors.append(field_errors.invalid("metadata.name", name, why))
        anchors = "-----BEGIN CERTIFICATE-----" in (spec.get("trustBundle") or "")
        return errors + field_checks.required("spec.trustBundle", anchors, "at least one trust anchor must be provided")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = self.validate(context, obj)
        new, before = objects.spec(obj).get("signerName"), objects.spec(old).get("signerName")
        return errors + field_checks.immutable("spec.signerName", new, before)


class PodCertificateRequestStrategy(Strategy):
    has_generation = False
    selectable_fields = {
        "spec.signerName": lambda obj: str(objects.spec(obj).get("signerName") or ""),
        "spec.podName": lambda obj: str(objects.spec(obj).get("podName") or ""),
        "spec.nodeName": lambda obj: str(objects.spec(obj).get("nodeName") or ""),
    }

    def default(self, context: Context, obj: Object) -> None:
        obj.setdefault("spec", {}).setdefault("maxExpirationSeconds", 86400)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = signing_request.signer_name("spec.signerName", spec.get("signerName") or "")
        for name in ("podName", "serviceAccountName", "nodeName"):
            errors += field_checks.required_name(f"spec.{name}", spec.get(name), names.dns1123_subdomain)
        for name in ("podUID", "serviceAccountUID", "nodeUID"):
            errors += field_checks.required(f"spec.{name}", spec.get(name))
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return field_checks.immutable("spec", objects.spec(obj), objects.spec(old))


STRATEGIES: dict[str, Strategy] = {
    "certificatesigningrequests.certificates.k8s.io": signing_request.STRATEGY,
    "clustertrustbundles.certificates.k8s.io": ClusterTrustBundleStrategy(),
    "podcertificaterequests.certificates.k8s.io": PodCertificateRequestStrategy(),
}
