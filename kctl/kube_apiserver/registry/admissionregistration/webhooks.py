"""MutatingWebhookConfigurations and ValidatingWebhookConfigurations."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError, go_value
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.admissionregistration import rules
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.strategy import Context, Strategy

Webhook = dict[str, Any]
_ACCEPTED = ("v1", "v1beta1")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_URL_HINT = "; desired format: https://host[/path]"


class WebhookStrategy(Strategy):
    allow_unconditional_update = False
    generation_fields = ("webhooks",)
    mutating = False

    def default(self, context: Context, obj: Object) -> None:
        for hook in obj.get("webhooks") or ():
            for name, value in (("failurePolicy", "Fail"), ("matchPolicy", "Equivalent"), ("timeoutSeconds", 10)):
                if hook.get(name) is None:
                    hook[name] = value
            hook.setdefault("namespaceSelector", {})
            hook.setdefault("objectSelector", {})
            if self.mutating and hook.get("reinvocationPolicy") is None:
                hook["reinvocationPolicy"] = "Never"
            rules.default_rules(hook.get("rules"))
            service = (hook.get("clientConfig") or {}).get("service")
            if service is not None and service.get("port") is None:
                service["port"] = 443

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        seen: set[str] = set()
        for index, hook in enumerate(obj.get("webhooks") or ()):
            path, name = f"webhooks[{index}]", hook.get("name") or ""
            errors += _webhook(hook, path, self.mutating)
            errors += _versions(hook.get("admissionReviewVersions") or [], f"{path}.admissionReviewVersions")
            if name and name in seen:
                errors.append(field_errors.duplicate(f"{path}.name", name))
            seen.add(name)
        return errors


class MutatingWebhookStrategy(WebhookStrategy):
    mutating = True


def _webhook(hook: Webhook, path: str, mutating: bool) -> list[FieldError]:
    errors = _qualified(f"{path}.name", hook.get("name") or "")
    for index, rule in enumerate(hook.get("rules") or ()):
        errors += rules.rule_errors(rule, f"{path}.rules[{index}]")
    for field, choices in (("failurePolicy", rules.FAILURE_POLICIES), ("matchPolicy", rules.MATCH_POLICIES)):
        if hook.get(field) is not None:
            errors += field_checks.enum(f"{path}.{field}", hook[field], choices)
    if not hook.get("sideEffects"):
        errors.append(field_errors.required(f"{path}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}"))
    else:
        errors += field_checks.enum(f"{path}.sideEffects", hook["sideEffects"], _SIDE_EFFECTS)
    timeout = hook.get("timeoutSeconds")
    if timeout is not None and not 1 <= timeout <= 30:
        why = "the timeout value must be between 1 and 30 seconds"
        errors.append(field_errors.invalid(f"{path}.timeoutSeconds", timeout, why))
    for field in ("namespaceSelector", "objectSelector"):
        errors += validate_label_selector(hook.get(field), f"{path}.{field}")
    if mutating and hook.get("reinvocationPolicy") is not None:
        choices = ("IfNeeded", "Never")
        errors += field_checks.enum(f"{path}.reinvocationPolicy", hook["reinvocationPolicy"], choices)
    errors += client_config_errors(hook.get("clientConfig") or {}, f"{path}.clientConfig")
    return errors + rules.match_condition_errors(hook.get("matchConditions"), f"{path}.matchConditions")


def _qualified(path: str, name: str) -> list[FieldError]:
    if not name:
        return [field_errors.required(path)]
    problems = names.dns1123_subdomain(name)
    if problems:
        return [field_errors.invalid(path, name, ",".join(problems))]
    if name.count(".") < 2:
        why = "should be a domain with at least three segments separated by dots"
        return [field_errors.invalid(path, name, why)]
    return []


def _versions(versions: list[str], path: str) -> list[FieldError]:
    if not versions:
        return [field_errors.required(path, f"must specify one of {', '.join(_ACCEPTED)}")]
    errors: list[FieldError] = []
    for index, version in enumerate(versions):
        if version in versions[:index]:
            errors.append(field_errors.invalid(f"{path}[{index}]", version, "duplicate version"))
        else:
            errors += names.errors(f"{path}[{index}]", version, names.dns1035_label)
    if not set(versions) & set(_ACCEPTED):
        errors.append(field_errors.invalid(path, versions, f"must include at least one of {', '.join(_ACCEPTED)}"))
    return errors


def client_config_errors(config: dict[str, Any], path: str) -> list[FieldError]:
    """Also the conversion webhooks of custom resource definitions."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [field_errors.required(path, "exactly one of url or service is required")]
    if url is not None:
        return _url(url, f"{path}.url")
    return _service(service or {}, f"{path}.service")


def _url(url: str, path: str) -> list[FieldError]:
    malformed = _malformed(url)
    if malformed:
        return [field_errors.required(path, f"url must be a valid URL: parse {go_value(url)}: {malformed}{_URL_HINT}")]
    errors: list[FieldError] = []
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if parts.scheme != "https":
        why = f"'https' is the only allowed URL scheme{_URL_HINT}"
        errors.append(field_errors.invalid(path, parts.scheme, why))
    if not host:
        errors.append(field_errors.invalid(path, host, f"host must be specified{_URL_HINT}"))
    if at:
        errors.append(field_errors.invalid(path, user, "user information is not permitted in the URL"))
    if parts.fragment:
        errors.append(field_errors.invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        errors.append(field_errors.invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return errors


def _malformed(url: str) -> str:
    """What Go's net/url says of text that is no URL at all."""
    if re.search(r"[\x00-\x1f\x7f]", url):
        return "net/url: invalid control character in URL"
    if url.startswith(":"):
        return "missing protocol scheme"
    escape = re.search(r"%(?![0-9a-fA-F]{2}).{0,2}", url.partition("?")[0])
    if escape:
        return f'invalid URL escape "{escape.group()}"'
    scheme = re.match(r"[a-zA-Z][-+.a-zA-Z0-9]*:", url)
    rest = url[scheme.end() :] if scheme else url
    if not rest.startswith("//"):
        colon = not scheme and ":" in rest.partition("/")[0]
        return "first path segment in URL cannot contain colon" if colon else ""
    host = re.split("[/?#]", rest[2:])[0].rpartition("@")[2]
    if host.startswith("["):
        return "" if "]" in host else "missing ']' in host"
    strange = re.search(r"[\s\"<>^`{|}\\]", host)
    if strange:
        return f"invalid character {go_value(strange.group())} in host name"
    _, colon_mark, port = host.partition(":")
    return f'invalid port ":{port}" after host' if colon_mark and port and not port.isdigit() else ""


def _service(service: dict[str, Any], path: str) -> list[FieldError]:
    errors = field_checks.required(f"{path}.name", service.get("name"), "service name is required")
    errors += field_checks.required(f"{path}.namespace", service.get("namespace"), "service namespace is required")
    port = service.get("port")
    if port is not None and names.port_number(port):
        why = f"port is not valid: {names.in_range(1, names.MAX_PORT)}"
        errors.append(field_errors.invalid(f"{path}.port", port, why))
    text = service.get("path")
    if text is None:
        return errors
    here = f"{path}.path"
    if not text.startswith("/"):
        return [*errors, field_errors.invalid(here, text, "must start with a '/'")]
    if text == "/":
        return errors
    steps = text[1:].removesuffix("/").split("/")
    for index, step in enumerate(steps):
        if not step:
            errors.append(field_errors.invalid(here, text, f"segment[{index}] may not be empty"))
            continue
        for problem in names.dns1123_subdomain(step):
            errors.append(field_errors.invalid(here, text, f"segment[{index}]: {problem}"))
    return errors


MUTATING = MutatingWebhookStrategy()
VALIDATING = WebhookStrategy()
