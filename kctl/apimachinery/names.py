"""Rules for names, numbers and addresses: each function returns the problems of one value, [] when it is valid.

The texts are those of k8s.io/apimachinery/pkg/util/validation; callers put a field path in front
(`names.errors(path, value, names.dns1123_label)`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from kctl.apimachinery import go_numbers
from kctl.apimachinery.field_errors import FieldError, invalid
from kctl.apimachinery.labels import validate_key, validate_value

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _LABEL + r"(\." + _LABEL + ")*"
_SUBDOMAIN_UNDERSCORE = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?" + r"(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_WILDCARD = r"\*\." + _SUBDOMAIN
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_ENV_VAR = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HEADER = "[-A-Za-z0-9]+"
_PERCENT = "[0-9]+%"
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"

_label_re = re.compile(_LABEL)
_subdomain_re = re.compile(_SUBDOMAIN)
_subdomain_underscore_re = re.compile(_SUBDOMAIN_UNDERSCORE)
_label_1035_re = re.compile(_LABEL_1035)

MAX_PORT = 65535
MAX_INT32 = 2**31 - 1


def errors(path: str, value: Any, *rules: Callable[[Any], list[str]]) -> list[FieldError]:
    """One `Invalid value` for every problem the rules find."""
    return [invalid(path, value, problem) for rule in rules for problem in rule(value)]


def regex_error(message: str, pattern: str, *examples: str) -> str:
    """As validation.RegexError: the rule, examples, the expression."""
    if not examples:
        return f"{message} (regex used for validation is '{pattern}')"
    shown = "".join(("" if not number else " or ") + f"'{text}', " for number, text in enumerate(examples))
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


def too_long(length: int) -> str:
    return f"must be no more than {length} characters"


def in_range(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


LABEL_RULE = regex_error(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
SUBDOMAIN_RULE = regex_error(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_SUBDOMAIN_UNDERSCORE_RULE = regex_error(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and "
    "end with an alphanumeric character",
    _SUBDOMAIN_UNDERSCORE,
    "example.com",
)
_LABEL_1035_RULE = regex_error(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end "
    "with an alphanumeric character",
    _LABEL_1035,
    "my-name",
    "abc-123",
)


def dns1123_label(value: str) -> list[str]:
    problems = [too_long(63)] if len(value.encode()) > 63 else []
    if not _label_re.fullmatch(value):
        problems.append("must not contain dots" if _subdomain_re.fullmatch(value) else LABEL_RULE)
    return problems


@lru_cache(maxsize=1024)
def namespace_problems(value: str, rule: Callable[[str], list[str]] = dns1123_label) -> tuple[str, ...]:
    """Of a namespace's name, by `rule`: everything in a namespace is asked about it again."""
    return tuple(rule(value))


def dns1123_subdomain(value: str) -> list[str]:
    problems = [too_long(253)] if len(value.encode()) > 253 else []
    if not _subdomain_re.fullmatch(value):
        problems.append(SUBDOMAIN_RULE)
    return problems


def dns1123_subdomain_with_underscore(value: str) -> list[str]:
    problems = [too_long(253)] if len(value.encode()) > 253 else []
    if not _subdomain_underscore_re.fullmatch(value):
        problems.append(_SUBDOMAIN_UNDERSCORE_RULE)
    return problems


def dns1035_label(value: str) -> list[str]:
    problems = [too_long(63)] if len(value.encode()) > 63 else []
    if not _label_1035_re.fullmatch(value):
        problems.append(_LABEL_1035_RULE)
    return problems


def wildcard_dns1123_subdomain(value: str) -> list[str]:
    problems = [too_long(253)] if len(value.encode()) > 253 else []
    if not re.fullmatch(_WILDCARD, value):
        rule = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
            "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
        )
        problems.append(regex_error(rule, _WILDCARD, "*.example.com"))
    return problems


def qualified_name(value: str) -> list[str]:
    """Label keys, annotation keys, resource and finalizer names: [prefix/]name."""
    return validate_key(value)


def label_value(value: str) -> list[str]:
    return validate_value(value)


def c_identifier(value: str) -> list[str]:
    if re.fullmatch(_C_IDENTIFIER, value):
        return []
    rule = "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'"
    return [regex_error(rule, _C_IDENTIFIER, "my_name", "MY_NAME", "MyName")]


def ip_address(value: str) -> list[str]:
    """Strict: IPv4 without leading zeros, IPv6 without an IPv4-mapped part or a zone."""
    ip = parse_ip(_without_leading_zeros(value))
    if ip is None:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    if parse_ip(value) is None:
        return ["must not have leading 0s"]
    return ["must not be an IPv4-mapped IPv6 address"] if _is_mapped(ip) else []


def cidr(value: str) -> list[str]:
    """Strict: as `ip_address`, and no bits set beyond the prefix length."""
    address, slash, bits = value.partition("/")
    plain = f"{_without_leading_zeros(address)}{slash}{bits.lstrip('0') or bits[-1:]}"
    network = parse_cidr(plain)
    if network is None:
        return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
    ip = parse_ip(address)
    if plain != value or ip is None:
        return ["must not have leading 0s in IP or prefix length"]
    if _is_mapped(ip):
        return ["must not have an IPv4-mapped IPv6 address"]
    return [] if ip == network.network_address else ["must not have bits set beyond the prefix length"]


def _without_leading_zeros(address: str) -> str:
    """IPv4 only: what Go's lenient parser reads."""
    parts = address.split(".")
    return ".".join(part.lstrip("0") or "0" for part in parts) if len(parts) == 4 and all(parts) else address


def _is_mapped(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None


def parse_ip(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if "%" in value:
        return None
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def parse_cidr(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The network; host bits may be set (as Go's net.ParseCIDR)."""
    address, slash, bits = value.partition("/")
    if not slash or not re.fullmatch(r"0|[1-9]\d*", bits) or parse_ip(address) is None:
        return None
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None


def canonical_ip_address(value: str) -> list[str]:
    """Strict, and the only spelling of that address."""
    problems, ip = ip_address(value), parse_ip(value)
    return problems if problems or str(ip) == value else [f'must be in canonical form ("{ip}")']


def port_number(value: int) -> list[str]:
    return [] if 1 <= value <= MAX_PORT else [in_range(1, MAX_PORT)]


def user_id(value: int) -> list[str]:
    return [] if 0 <= value <= MAX_INT32 else [in_range(0, MAX_INT32)]


group_id = user_id


def port_name(value: str) -> list[str]:
    problems = [too_long(15)] if len(value) > 15 else []
    if not re.fullmatch("[-a-z0-9]+", value):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        problems.append("must contain at least one letter (a-z)")
    if "--" in value:
        problems.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def percent(value: str) -> list[str]:
    if re.fullmatch(_PERCENT, value):
        return []
    rule = "a valid percent string must be a numeric string followed by an ending '%'"
    return [regex_error(rule, _PERCENT, "1%", "93%")]


def http_header_name(value: str) -> list[str]:
    if re.fullmatch(_HEADER, value):
        return []
    return [regex_error("a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER, "X-Header-Name")]


def env_var_name(value: str) -> list[str]:
    """The strict rule (envFrom keys, legacy); containers' env names follow `relaxed_env_var_name`."""
    problems = []
    if not re.fullmatch(_ENV_VAR, value):
        rule = (
            "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not "
            "start with a digit"
        )
        problems.append(regex_error(rule, _ENV_VAR, "my.env-name", "MY_ENV.NAME", "MyEnvName1"))
    return problems + _directory_prefix(value)


def relaxed_env_var_name(value: str) -> list[str]:
    problems = [] if value else ["environment variable name must be non-empty"]
    if any(letter == "=" or not " " <= letter <= "~" for letter in value):
        problems.append("a valid environment variable name must consist only of printable ASCII characters other than '='")
    return problems


def config_map_key(value: str) -> list[str]:
    problems = [too_long(253)] if len(value) > 253 else []
    if not re.fullmatch(_CONFIG_KEY, value):
        rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        problems.append(regex_error(rule, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    return problems + _directory_prefix(value)


def _directory_prefix(value: str) -> list[str]:
    if value == ".":
        return ["must not be '.'"]
    if value == "..":
        return ["must not be '..'"]
    return ["must not start with '..'"] if value.startswith("..") else []


def path_segment_name(value: str) -> list[str]:
    """Names of roles, bindings, ...: anything that is one URL path segment."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{part}'" for part in ("/", "%") if part in value]


def http_path(value: str) -> list[str]:
    return [] if re.fullmatch(_HTTP_PATH, value) else [regex_error("Invalid path", _HTTP_PATH)]


def domain_prefixed_path(path: str, value: str) -> list[FieldError]:
    """A value like acme.io/foo at `path`, each error with the part it is about; that there is one is asked elsewhere."""
    domain, _, rest = value.partition("/")
    if not domain or not rest:
        return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    return errors(path, domain, dns1123_subdomain) + errors(path, rest, http_path)


def socket_address(value: str) -> list[str]:
    host, colon, port = value.rpartition(":")
    if not colon:
        return ["must be a valid socket address format, (e.g. 0.0.0.0:10254 or [::]:10254)"]
    problems = [] if re.fullmatch("[0-9]+", port) and not port_number(go_numbers.saturated(port) or 0) else [in_range(1, MAX_PORT)]
    return problems + ip_address(host.removeprefix("[").removesuffix("]"))


_VALIDATORS: dict[str, Callable[[str], list[str]]] = {
    "subdomain": dns1123_subdomain,
    "label": dns1123_label,
    "service": dns1123_label,
    "path_segment": path_segment_name,
    "config_map_key": config_map_key,
    "ip_address": canonical_ip_address,
}


def object_name(rule: str, value: str) -> list[str]:
    """Problems of metadata.name by a Strategy's `name_validator`."""
    return _VALIDATORS[rule](value)
