"""MutatingWebhookConfigurations and ValidatingWebhookConfigurations."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError, go_value
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.admissionregistration import rules
from kctl.kube_apiserver.registry.rules.checks import between
from kctl.kube_apiserver.registry.rules.language import Struct, each, field, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy

_ACCEPTED = ("v1", "v1beta1")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_URL_HINT = "; desired format: https://host[/path]"


def _qualified(name: str) -> list[str]:
    if problems := names.dns1123_subdomain(name):
        return [",".join(problems)]
    return ["should be a domain with at least three segments separated by dots"] if name.count(".") < 2 else []


def _versions(versions: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, (version, again) in enumerate(zip(versions, field_checks.repeated(versions), strict=True)):
        if again:
            errors.append(field_errors.invalid(f"{path}[{index}]", version, "duplicate version"))
        else:
            errors += names.errors(f"{path}[{index}]", version, names.dns1035_label)
    if not set(versions) & set(_ACCEPTED):
        errors.append(field_errors.invalid(path, versions, f"must include at least one of {', '.join(_ACCEPTED)}"))
    return errors


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


def _port(port: int) -> list[str]:
    return [f"port is not valid: {names.in_range(1, names.MAX_PORT)}"] if names.port_number(port) else []


def _path(text: str) -> list[str]:
    if not text.startswith("/"):
        return ["must start with a '/'"]
    steps = text[1:].removesuffix("/").split("/") if text != "/" else ()
    by_step = [[f": {why}" for why in names.dns1123_subdomain(step)] if step else [" may not be empty"] for step in steps]
    return [f"segment[{index}]{why}" for index, problems in enumerate(by_step) for why in problems]


_SERVICE_DEFAULTS = struct(pointer("port", default=443))
_SERVICE = struct(
    field("name", required="service name is required"),
    field("namespace", required="service namespace is required"),
    pointer("port", _port),
    pointer("path", _path),
)


def client_config_errors(config: dict[str, Any], path: str) -> list[FieldError]:
    """Also the conversion webhooks of custom resource definitions."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [field_errors.required(path, "exactly one of url or service is required")]
    return _url(url, f"{path}.url") if url is not None else _SERVICE.errors_at(service, f"{path}.service")


def _configuration(*more: Any) -> Struct:
    hook = struct(
        field("name", _qualified, required=True),
        field("rules", rules.RULES),
        pointer("failurePolicy", enum=rules.FAILURE_POLICIES, default="Fail"),
        pointer("matchPolicy", enum=rules.MATCH_POLICIES, default="Equivalent"),
        field("sideEffects", enum=_SIDE_EFFECTS, required=f"must specify one of {', '.join(_SIDE_EFFECTS)}"),
        pointer("timeoutSeconds", between(1, 30, "the timeout value must be between 1 and 30 seconds"), default=10),
        *rules.SELECTORS,
        *more,
        field("clientConfig", client_config_errors, zero={}),
        field("clientConfig", struct(pointer("service", _SERVICE_DEFAULTS))),
        rules.MATCH_CONDITIONS,
        field("admissionReviewVersions", _versions, required=f"must specify one of {', '.join(_ACCEPTED)}"),
    )
    return struct(field("webhooks", each(hook, unique="name")))


class WebhookStrategy(RuledStrategy):
    allow_unconditional_update = False
    generation_fields = ("webhooks",)
    rules = _configuration()


class MutatingWebhookStrategy(WebhookStrategy):
    rules = _configuration(pointer("reinvocationPolicy", enum=enums.of("MutatingWebhook.reinvocationPolicy"), default="Never"))


MUTATING = MutatingWebhookStrategy()
VALIDATING = WebhookStrategy()
