"""The limit of open files: each connection takes one, and shells give a process 1,024 of them. Raised as far as the system lets us, as
Go's runtime does for kube-apiserver.
"""

from __future__ import annotations

import resource

MOST = 1 << 20
_MACOS_MOST = 10_240
"""There the hard limit says infinity, and more than this is refused."""


def raise_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (MOST, _MACOS_MOST):
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        if soft == resource.RLIM_INFINITY or soft >= most:
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):
            continue
        return
