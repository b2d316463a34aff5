"""Which functions there are and which types they take: overloads as text, one line each, read once.

name(A, list(A)) -> bool          a function
string.contains(string) -> bool   a method
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from kctl.kube_apiserver.cel import authorization
from kctl.kube_apiserver.cel.types import Type

_NUMBERS = ("int", "uint", "double")
_OPERATORS = [
    *(f"_{sign}_({kind}, {kind}) -> {kind}" for sign in "+-*/" for kind in _NUMBERS),
    *(f"_%_({kind}, {kind}) -> {kind}" for kind in ("int", "uint")),
    *(f"-_({kind}) -> {kind}" for kind in ("int", "double")),
    *(f"_+_({kind}, {kind}) -> {kind}" for kind in ("string", "bytes", "list(A)", "duration")),
    *("_+_(timestamp, duration) -> timestamp", "_+_(duration, timestamp) -> timestamp"),
    *("_-_(timestamp, timestamp) -> duration", "_-_(timestamp, duration) -> timestamp", "_-_(duration, duration) -> duration"),
    *(f"_{sign}_({one}, {other}) -> bool" for sign in ("<", "<=", ">", ">=") for one in _NUMBERS for other in _NUMBERS),
    *(
        f"_{sign}_({kind}, {kind}) -> bool"
        for sign in ("<", "<=", ">", ">=")
        for kind in ("bool", "string", "bytes", "timestamp", "duration")
    ),
    *("!_(bool) -> bool", "_&&_(bool, bool) -> bool", "_||_(bool, bool) -> bool", "_?_:_(bool, A, A) -> A"),
    *("_==_(A, A) -> bool", "_!=_(A, A) -> bool", "@in(A, list(A)) -> bool", "@in(A, map(A, B)) -> bool"),
    *("_[_](list(A), int) -> A", "_[_](map(A, B), A) -> B", "_[_](optional(list(A)), int) -> optional(A)"),
    *("_[_](optional(map(A, B)), A) -> optional(B)", "_[?_](list(A), int) -> optional(A)", "_[?_](map(A, B), A) -> optional(B)"),
    *("_[?_](optional(list(A)), int) -> optional(A)", "_[?_](optional(map(A, B)), A) -> optional(B)"),
]
_TEXT = """
size(string) -> int
size(bytes) -> int
size(list(A)) -> int
size(map(A, B)) -> int
string.size() -> int
bytes.size() -> int
list(A).size() -> int
map(A, B).size() -> int
matches(string, string) -> bool
string.matches(string) -> bool
string.contains(string) -> bool
string.startsWith(string) -> bool
string.endsWith(string) -> bool
type(A) -> type(A)
dyn(A) -> dyn
int(int) -> int
int(uint) -> int
int(double) -> int
int(string) -> int
int(timestamp) -> int
uint(uint) -> uint
uint(int) -> uint
uint(double) -> uint
uint(string) -> uint
double(double) -> double
double(int) -> double
double(uint) -> double
double(string) -> double
bool(bool) -> bool
bool(string) -> bool
string(string) -> string
string(bool) -> string
string(int) -> string
string(uint) -> string
string(double) -> string
string(bytes) -> string
string(timestamp) -> string
string(duration) -> string
bytes(bytes) -> bytes
bytes(string) -> bytes
timestamp(string) -> timestamp
timestamp(int) -> timestamp
timestamp(timestamp) -> timestamp
duration(string) -> duration
duration(duration) -> duration
optional.of(A) -> optional(A)
optional.none() -> optional(A)
optional.ofNonZeroValue(A) -> optional(A)
optional(A).hasValue() -> bool
optional(A).value() -> A
optional(A).orValue(A) -> A
optional(A).or(optional(A)) -> optional(A)
string.charAt(int) -> string
string.indexOf(string) -> int
string.indexOf(string, int) -> int
string.lastIndexOf(string) -> int
string.lastIndexOf(string, int) -> int
string.lowerAscii() -> string
string.upperAscii() -> string
string.replace(string, string) -> string
string.replace(string, string, int) -> string
string.split(string) -> list(string)
string.split(string, int) -> list(string)
string.substring(int) -> string
string.substring(int, int) -> string
string.trim() -> string
string.reverse() -> string
string.format(list(dyn)) -> string
string.find(string) -> string
string.findAll(string) -> list(string)
string.findAll(string, int) -> list(string)
strings.quote(string) -> string
list(string).join() -> string
list(string).join(string) -> string
list(A).isSorted() -> bool
list(A).sum() -> A
list(A).min() -> A
list(A).max() -> A
list(A).indexOf(A) -> int
list(A).lastIndexOf(A) -> int
list(A).slice(int, int) -> list(A)
list(A).flatten() -> list(dyn)
list(A).flatten(int) -> list(dyn)
list(A).distinct() -> list(A)
list(A).sort() -> list(A)
list(A).reverse() -> list(A)
list(A).first() -> optional(A)
list(A).last() -> optional(A)
lists.range(int) -> list(int)
sets.contains(list(A), list(A)) -> bool
sets.equivalent(list(A), list(A)) -> bool
sets.intersects(list(A), list(A)) -> bool
math.greatest(list(A)) -> A
math.greatest(A) -> A
math.greatest(A, A) -> A
math.greatest(A, A, A) -> A
math.greatest(A, A, A, A) -> A
math.least(list(A)) -> A
math.least(A) -> A
math.least(A, A) -> A
math.least(A, A, A) -> A
math.least(A, A, A, A) -> A
math.ceil(double) -> double
math.floor(double) -> double
math.trunc(double) -> double
math.round(double) -> double
math.abs(A) -> A
math.isNaN(double) -> bool
math.isInf(double) -> bool
math.isFinite(double) -> bool
base64.encode(bytes) -> string
base64.decode(string) -> bytes
jsonpatch.escapeKey(string) -> string
quantity(string) -> quantity
isQuantity(string) -> bool
quantity.add(quantity) -> quantity
quantity.add(int) -> quantity
quantity.sub(quantity) -> quantity
quantity.sub(int) -> quantity
quantity.sign() -> int
quantity.isInteger() -> bool
quantity.asInteger() -> int
quantity.asApproximateFloat() -> double
quantity.compareTo(quantity) -> int
quantity.isGreaterThan(quantity) -> bool
quantity.isLessThan(quantity) -> bool
semver(string) -> semver
semver(string, bool) -> semver
isSemver(string) -> bool
isSemver(string, bool) -> bool
semver.major() -> int
semver.minor() -> int
semver.patch() -> int
semver.compareTo(semver) -> int
semver.isGreaterThan(semver) -> bool
semver.isLessThan(semver) -> bool
url(string) -> url
isURL(string) -> bool
url.getScheme() -> string
url.getHost() -> string
url.getHostname() -> string
url.getPort() -> string
url.getEscapedPath() -> string
url.getQuery() -> map(string, list(string))
ip(string) -> ip
isIP(string) -> bool
ip.isCanonical(string) -> bool
ip.family() -> int
ip.isUnspecified() -> bool
ip.isLoopback() -> bool
ip.isLinkLocalMulticast() -> bool
ip.isLinkLocalUnicast() -> bool
ip.isGlobalUnicast() -> bool
string(ip) -> string
cidr(string) -> cidr
isCIDR(string) -> bool
cidr.ip() -> ip
cidr.masked() -> cidr
cidr.prefixLength() -> int
cidr.containsIP(ip) -> bool
cidr.containsIP(string) -> bool
cidr.containsCIDR(cidr) -> bool
cidr.containsCIDR(string) -> bool
string(cidr) -> string
format.named(string) -> optional(format)
format.validate(string) -> optional(list(string))
"""
_FORMATS = (
    *("dns1123Label", "dns1123Subdomain", "dns1035Label", "qualifiedName", "dns1123LabelPrefix", "dns1123SubdomainPrefix"),
    *("dns1035LabelPrefix", "labelValue", "uri", "uuid", "byte", "date", "datetime"),
)
_MOMENTS = ("FullYear", "Month", "Date", "DayOfMonth", "DayOfWeek", "DayOfYear", "Hours", "Minutes", "Seconds", "Milliseconds")
_NAMES: dict[str, Type] = {
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
    "quantity": "kubernetes.Quantity",
    "semver": "kubernetes.Semver",
    "url": "kubernetes.URL",
    "ip": "net.IP",
    "cidr": "net.CIDR",
    "format": "kubernetes.NamedFormat",
    **authorization.TYPES,
}
NAMESPACES = frozenset({"optional", "strings", "lists", "sets", "math", "base64", "format", "ip", "jsonpatch"})
_LINE = re.compile(r"(?:(?P<owner>[\w()., ]+)\.)?(?P<name>[^\s.(]+?)\((?P<params>.*)\) -> (?P<result>.+)")


class Overload(NamedTuple):
    params: tuple[Type, ...]
    result: Type


@cache
def functions() -> tuple[dict[str, list[Overload]], dict[str, list[Overload]]]:
    """(functions by name, qualified ones with their namespace; methods by name, the receiver first among the parameters)"""
    plain: dict[str, list[Overload]] = {}
    methods: dict[str, list[Overload]] = {}
    lines = [*_OPERATORS, *_TEXT.split("\n"), *authorization.DECLARATIONS.split("\n")]
    lines += [f"format.{name}() -> format" for name in _FORMATS]
    for part in _MOMENTS:
        lines += [f"timestamp.get{part}() -> int", f"timestamp.get{part}(string) -> int"]
        if part in _MOMENTS[-4:]:
            lines.append(f"duration.get{part}() -> int")
    for line in filter(None, lines):
        owner, name, params, result = _split(line)
        is_method = bool(owner) and not (owner in NAMESPACES and not _is_receiver(owner, name))
        types = tuple(_parse(part) for part in _parts(params))
        if is_method:
            methods.setdefault(name, []).append(Overload((_parse(owner), *types), _parse(result)))
        else:
            plain.setdefault(f"{owner}.{name}" if owner else name, []).append(Overload(types, _parse(result)))
    return plain, methods


def _is_receiver(owner: str, name: str) -> bool:
    """`ip` and `format` are types and namespaces both."""
    return (owner == "ip" and name != "isCanonical") or (owner == "format" and name == "validate")


def _split(line: str) -> tuple[str, str, str, str]:
    head, _, result = line.rpartition(" -> ")
    if head[0] in "_!-@":
        name, _, params = head.rpartition("(") if head.count("(") == 1 else (head[: head.index("(")], "", head[head.index("(") + 1 :])
        return "", name, params.removesuffix(")"), result
    depth = 0
    for index in range(len(head) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(head[index], 0)
        if depth == 0 and head[index] == "(":
            break
    owner, _, name = _before(head[:index])
    return owner, name, head[index + 1 : -1], result


def _before(text: str) -> tuple[str, str, str]:
    return text.rpartition(".") if "." in text else ("", "", text)


def _parts(text: str) -> list[str]:
    """Between commas outside of brackets."""
    found, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            found.append(text[start:index].strip())
            start = index + 1
    last = text[start:].strip()
    return [*found, last] if last else found


def _parse(text: str) -> Type:
    name, bracket, rest = text.partition("(")
    if bracket:
        return (name, *(_parse(part) for part in _parts(rest[:-1])))
    return _NAMES.get(text, text)
