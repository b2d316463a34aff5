"""Which requests `kctl proxy` lets through, and which of its two handlers a path belongs to (kubectl's FilterServer and its mux). No I/O."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ACCEPTED_HOSTS: Final = r"^localhost$,^127\.0\.0\.1$,^\[::1\]$"
ACCEPTED_PATHS: Final = "^.*"
REJECTED_PATHS: Final = "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach"
REJECTED_METHODS: Final = "^$"


def patterns(text: str) -> tuple[re.Pattern[str], ...]:
    """Comma-separated regular expressions. Raises re.error."""
    return tuple(map(re.compile, text.split(","))) if text else ()


def _any(every: Sequence[re.Pattern[str]], text: str) -> bool:
    return any(pattern.search(text) for pattern in every)


@dataclass(frozen=True)
class Filter:
    accept_paths: Sequence[re.Pattern[str]]
    reject_paths: Sequence[re.Pattern[str]]
    accept_hosts: Sequence[re.Pattern[str]]
    reject_methods: Sequence[re.Pattern[str]]

    def accepts(self, method: str, path: str, host: str) -> bool:
        """`host` as the Host header has it."""
        if _any(self.reject_paths, path) or _any(self.reject_methods, method):
            return False
        return _any(self.accept_paths, path) and _any(self.accept_hosts, without_port(host))


def without_port(host: str) -> str:
    """As net.SplitHostPort: what it cannot split stays."""
    name, colon, port = host.rpartition(":")
    if not colon or (":" in name and not name.startswith("[")) or "]" in port:
        return host
    return name[1:-1] if name.startswith("[") and name.endswith("]") else name


def with_slash(prefix: str) -> str:
    return prefix if prefix.endswith("/") else prefix + "/"


def cleaned(path: str) -> str:
    """Without `.`, `..` and double slashes, the last slash kept; the mux redirects what is not so."""
    clean = posixpath.normpath(path)
    clean = "/" + clean.lstrip("/")
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def below(prefix: str, path: str) -> str:
    """What of `path` is below `prefix`, which it begins with; a slash at its head."""
    rest = path[len(prefix) :]
    return rest if rest.startswith("/") else "/" + rest


def api_path(prefix: str, path: str) -> str:
    """The API server's path for one of the proxy's, which begins with `prefix`; prefixes that begin as the API's own paths do stay."""
    return path if prefix.startswith("/api") else below(prefix, path)
