"""Ingresses and IngressClasses."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry.core.service_validation import load_balancer_ingress
from kctl.kube_apiserver.registry.rules.checks import forbidden_if
from kctl.kube_apiserver.registry.rules.language import each, field, optional, pointer, struct, when
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_PATH_TYPES = enums.of("HTTPIngressPath.pathType")
_BAD_PARTS = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDS = ("/..", "/.")

TYPED_REFERENCE = (
    pointer("apiGroup", names.dns1123_subdomain),
    field("kind", names.path_segment_name, required=True),
    field("name", names.path_segment_name, required=True),
)
"""A TypedLocalObjectReference."""


def _host(host: str) -> list[str]:
    return names.wildcard_dns1123_subdomain(host) if "*" in host else names.dns1123_subdomain(host)


def _no_address(host: str) -> list[str]:
    return ["must be a DNS name, not an IP address"] if names.parse_ip(host) is not None else []


def _port(service: Any, path: str) -> list[FieldError]:
    port, here = service.get("port") or {}, f"{path}.port"
    if port.get("name") and port.get("number"):
        return [field_errors.invalid(path.removesuffix(".service"), "", "cannot set both port name & port number")]
    if port.get("name"):
        return names.errors(f"{here}.name", port["name"], names.port_name)
    if port.get("number"):
        return names.errors(f"{here}.number", port["number"], names.port_number)
    return [field_errors.required(path.removesuffix(".service"), "port name or number is required")]


_RESOURCE = struct(*TYPED_REFERENCE)
_SERVICE = struct(field("name", names.dns1123_label, required=True), _port)


def _backend(backend: Any, path: str) -> list[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if resource is not None and service is not None:
        return [field_errors.invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _RESOURCE.errors_at(resource, f"{path}.resource")
    if service is None:
        return [field_errors.invalid(path, "", "resource or service backend is required")]
    return _SERVICE.errors_at(service, f"{path}.service")


def _path(rule_path: Any, path: str) -> list[FieldError]:
    kind, text, here = rule_path["pathType"], rule_path.get("path") or "", f"{path}.path"
    wrong: list[str] = []
    if kind not in _PATH_TYPES:
        return [field_errors.unsupported(f"{path}.pathType", kind, _PATH_TYPES)]
    if not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        wrong.append("must be an absolute path")
    if kind in ("Exact", "Prefix"):
        wrong += [f"must not contain '{bad}'" for bad in _BAD_PARTS if bad in text]
        wrong += [f"cannot end with '{bad}'" for bad in _BAD_ENDS if text.endswith(bad)]
    return [field_errors.invalid(here, text, why) for why in wrong]


def _backend_or_rules(spec: Any, path: str) -> list[FieldError]:
    why = "either `defaultBackend` or `rules` must be specified"
    missing = not spec.get("rules") and spec.get("defaultBackend") is None
    return [field_errors.invalid(path, spec.get("rules"), why)] if missing else []


_PATH = struct(
    pointer("pathType", required="pathType must be specified"),
    when(lambda rule_path: rule_path.get("pathType") is not None, _path, field("backend", _backend, zero={})),
)
_RULE = struct(optional("host", _no_address, _host), pointer("http", struct(field("paths", each(_PATH), required=True))))
_SPEC = struct(
    _backend_or_rules,
    pointer("defaultBackend", _backend),
    field("rules", each(_RULE)),
    field("tls", each(struct(field("hosts", each(_host)), optional("secretName", names.dns1123_subdomain)))),
    pointer("ingressClassName", names.dns1123_subdomain),
)
_INGRESS_POINT = each(load_balancer_ingress)


def _class_annotation(obj: Object) -> list[FieldError]:
    annotation, name = objects.annotations(obj).get(CLASS_ANNOTATION), objects.spec(obj).get("ingressClassName")
    if annotation is None or name is None or annotation == name:
        return []
    why = "must match `ingressClassName` when both are specified"
    return [field_errors.invalid(f"annotations.{CLASS_ANNOTATION}", annotation, why)]


class IngressStrategy(RuledStrategy):
    rules = struct(field("spec", _SPEC))
    status_rules = struct(field("status", struct(field("loadBalancer", struct(field("ingress", _INGRESS_POINT))))))

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return self.rules.errors(obj) + _class_annotation(obj)

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return self.rules.errors(obj)

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        if CLASS_ANNOTATION not in objects.annotations(obj):
            return []
        return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]


def domain_prefixed_path(path: str, value: str, limit: int) -> list[FieldError]:
    if not value:
        return [field_errors.required(path)]
    errors = [field_errors.too_long(path, limit)] if len(value) > limit else []
    return errors + names.domain_prefixed_path(path, value)


_PARAMETERS = struct(
    *TYPED_REFERENCE,
    pointer("scope", required=True, enum=("Cluster", "Namespace"), default="Cluster"),
    when(
        lambda parameters: parameters.get("scope") == "Namespace",
        pointer("namespace", names.dns1123_label, required="`parameters.scope` is set to 'Namespace'"),
    ),
    forbidden_if(lambda parameters: parameters.get("scope") == "Cluster", "namespace", "`parameters.scope` is set to 'Cluster'"),
)


class IngressClassStrategy(RuledStrategy):
    rules = struct(
        field(
            "spec",
            struct(
                field("controller", lambda value, path: domain_prefixed_path(path, value, 250), immutable=True),
                pointer("parameters", _PARAMETERS),
            ),
        )
    )

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return self.rules.changes(obj, old) + self.rules.errors(obj)


INGRESS = IngressStrategy()
INGRESS_CLASS = IngressClassStrategy()
