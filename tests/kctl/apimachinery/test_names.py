"""Names, ports and addresses: what is valid, and the API's words for what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kctl.apimachinery import names

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


@pytest.mark.parametrize(
    ("rule", "value", "problems"),
    [
        (names.dns1123_label, "a-1", []),
        (names.dns1123_label, "1a", []),
        (names.dns1123_label, "A_b", [LABEL]),
        (names.dns1123_label, "a.b", ["must not contain dots"]),
        (names.dns1123_label, "a" * 64, ["must be no more than 63 characters"]),
        (names.dns1123_subdomain, "a.b-c.d", []),
        (names.dns1035_label, "a1", []),
        (names.port_name, "http", []),
        (names.port_name, "-x-", ["must not begin or end with a hyphen"]),
        (names.port_name, "80", ["must contain at least one letter (a-z)"]),
        (names.port_name, "a--b", ["must not contain consecutive hyphens"]),
        (names.port_number, 65535, []),
        (names.port_number, 0, ["must be between 1 and 65535, inclusive"]),
        (names.ip_address, "10.0.0.1", []),
        (names.ip_address, "2001:db8::1", []),
        (names.ip_address, "1.2.3", ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]),
        (names.cidr, "10.0.0.0/8", []),
        (names.cidr, "10.0.0.1/8", ["must not have bits set beyond the prefix length"]),
        (names.cidr, "10.0.0.0", ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]),
        (names.config_map_key, "a.b_C-1", []),
        (names.config_map_key, "..", ["must not be '..'"]),
        (names.config_map_key, "..a", ["must not start with '..'"]),
        (names.path_segment_name, "system:node", []),
        (names.path_segment_name, "a/b%", ["may not contain '/'", "may not contain '%'"]),
        (names.path_segment_name, ".", ["may not be '.'"]),
        (names.relaxed_env_var_name, "1 A!", []),
    ],
)
def test_rule(rule: Callable[[Any], list[str]], value: Any, problems: list[str]) -> None:
    assert rule(value) == problems


def test_wildcards_need_a_star_first() -> None:
    assert names.wildcard_dns1123_subdomain("*.a.com") == []
    assert names.wildcard_dns1123_subdomain("a.*.com")


def test_errors_carry_path_and_value() -> None:
    (found,) = names.errors("spec.port", 0, names.port_number)
    assert str(found) == "spec.port: Invalid value: 0: must be between 1 and 65535, inclusive"
