"""Ingresses and IngressClasses."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.core.service_validation import load_balancer_ingress
from kctl.kube_apiserver.registry.strategy import Context, Strategy

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_PARTS = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDS = ("/..", "/.")
_NOT_AN_IP = "must be a DNS name, not an IP address"


class IngressStrategy(Strategy):
    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors = _spec(objects.spec(obj))
        annotation, name = objects.annotations(obj).get(CLASS_ANNOTATION), objects.spec(obj).get("ingressClassName")
        if annotation is not None and name is not None and annotation != name:
            why = "must match `ingressClassName` when both are specified"
            errors.append(field_errors.invalid(f"annotations.{CLASS_ANNOTATION}", annotation, why))
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return _spec(objects.spec(obj))

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        for index, entry in enumerate((objects.status(obj).get("loadBalancer") or {}).get("ingress") or ()):
            errors += load_balancer_ingress(entry, f"status.loadBalancer.ingress[{index}]")
        return errors

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        if CLASS_ANNOTATION not in objects.annotations(obj):
            return []
        return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]


def _spec(spec: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and backend is None:
        why = "either `defaultBackend` or `rules` must be specified"
        errors.append(field_errors.invalid("spec", spec.get("rules"), why))
    if backend is not None:
        errors += _backend(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        errors += _rule(rule, f"spec.rules[{index}]")
    for index, tls in enumerate(spec.get("tls") or ()):
        errors += _tls(tls, f"spec.tls[{index}]")
    if spec.get("ingressClassName") is not None:
        errors += names.errors("spec.ingressClassName", spec["ingressClassName"], names.dns1123_subdomain)
    return errors


def _host(host: str, path: str) -> list[FieldError]:
    return names.errors(path, host, names.wildcard_dns1123_subdomain if "*" in host else names.dns1123_subdomain)


def _tls(tls: dict[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, host in enumerate(tls.get("hosts") or ()):
        errors += _host(host, f"{path}.hosts[{index}]")
    if tls.get("secretName"):
        errors += names.errors(f"{path}.secretName", tls["secretName"], names.dns1123_subdomain)
    return errors


def _rule(rule: dict[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    host = rule.get("host")
    if host:
        if names.parse_ip(host) is not None:
            errors.append(field_errors.invalid(f"{path}.host", host, _NOT_AN_IP))
        errors += _host(host, f"{path}.host")
    http = rule.get("http")
    if http is not None:
        paths = http.get("paths") or []
        errors += field_checks.required(f"{path}.http.paths", paths)
        for index, entry in enumerate(paths):
            errors += _path(entry, f"{path}.http.paths[{index}]")
    return errors


def _path(entry: dict[str, Any], path: str) -> list[FieldError]:
    kind, text = entry.get("pathType"), entry.get("path") or ""
    if kind is None:
        return [field_errors.required(f"{path}.pathType", "pathType must be specified")]
    errors: list[FieldError] = []
    here = f"{path}.path"
    if kind not in _PATH_TYPES:
        errors += field_checks.enum(f"{path}.pathType", kind, _PATH_TYPES)
    elif not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        errors.append(field_errors.invalid(here, text, "must be an absolute path"))
    if kind in ("Exact", "Prefix"):
        errors += [field_errors.invalid(here, text, f"must not contain '{bad}'") for bad in _BAD_PARTS if bad in text]
        errors += [field_errors.invalid(here, text, f"cannot end with '{bad}'") for bad in _BAD_ENDS if text.endswith(bad)]
    return errors + _backend(entry.get("backend") or {}, f"{path}.backend")


def _backend(backend: dict[str, Any], path: str) -> list[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if resource is not None and service is not None:
        return [field_errors.invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return reference_errors(resource, f"{path}.resource")
    if service is None:
        return [field_errors.invalid(path, "", "resource or service backend is required")]
    errors = field_checks.required_name(f"{path}.service.name", service.get("name"), names.dns1123_label)
    port = service.get("port") or {}
    if port.get("name") and port.get("number"):
        errors.append(field_errors.invalid(path, "", "cannot set both port name & port number"))
    elif port.get("name"):
        errors += names.errors(f"{path}.service.port.name", port["name"], names.port_name)
    elif port.get("number"):
        errors += names.errors(f"{path}.service.port.number", port["number"], names.port_number)
    else:
        errors.append(field_errors.required(path, "port name or number is required"))
    return errors


def reference_errors(reference: dict[str, Any], path: str) -> list[FieldError]:
    """A TypedLocalObjectReference: apiGroup, kind, name."""
    errors: list[FieldError] = []
    if reference.get("apiGroup") is not None:
        errors += names.errors(f"{path}.apiGroup", reference["apiGroup"], names.dns1123_subdomain)
    errors += field_checks.required_name(f"{path}.kind", reference.get("kind"), names.path_segment_name)
    return errors + field_checks.required_name(f"{path}.name", reference.get("name"), names.path_segment_name)


class IngressClassStrategy(Strategy):
    def default(self, context: Context, obj: Object) -> None:
        parameters = objects.spec(obj).get("parameters")
        if parameters is not None and parameters.get("scope") is None:
            parameters["scope"] = "Cluster"

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = domain_prefixed_path("spec.controller", spec.get("controller") or "", 250)
        parameters = spec.get("parameters")
        return errors if parameters is None else errors + _parameters(parameters, "spec.parameters")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new, before = objects.spec(obj).get("controller"), objects.spec(old).get("controller")
        return field_checks.immutable("spec.controller", new, before) + self.validate(context, obj)


def domain_prefixed_path(path: str, value: str, limit: int) -> list[FieldError]:
    if not value:
        return [field_errors.required(path)]
    errors = [field_errors.too_long(path, limit)] if len(value) > limit else []
    host, _, rest = value.partition("/")
    if not host or not rest:
        return [*errors, field_errors.invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    return errors + names.errors(path, host, names.dns1123_subdomain) + names.errors(path, rest, names.http_path)


def _parameters(parameters: dict[str, Any], path: str) -> list[FieldError]:
    errors = reference_errors(parameters, path)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        return [*errors, field_errors.required(f"{path}.scope")]
    errors += field_checks.enum(f"{path}.scope", scope, ("Cluster", "Namespace"))
    if scope == "Namespace":
        if namespace is None:
            errors.append(field_errors.required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'"))
        else:
            errors += names.errors(f"{path}.namespace", namespace, names.dns1123_label)
    elif scope == "Cluster" and namespace is not None:
        errors.append(field_errors.forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))
    return errors


INGRESS = IngressStrategy()
INGRESS_CLASS = IngressClassStrategy()
