"""Which Kubernetes this is: the one version that client, server, nodes, OpenAPI documents and discovery name."""

from __future__ import annotations

import os
import sys
from typing import Final

MAJOR: Final = "1"
MINOR: Final = "37"
KUBERNETES_VERSION: Final = f"v{MAJOR}.{MINOR}.1"
KUBERNETES_COMMIT: Final = "f78e722310e50bcaca9276be22276d9e91d91308"
"""Of Kubernetes' own repository: the release of that version."""
KUSTOMIZE_VERSION: Final = "v5.8.1"
"""What kubectl of that version has built in."""


def platform_name() -> str:
    """linux/amd64, as Go names it."""
    system = os.uname()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(system.machine, system.machine)
    return f"{system.sysname.lower()}/{machine}"


def runtime_version() -> str:
    """What stands where Kubernetes names its version of Go."""
    return f"python{'.'.join(map(str, sys.version_info[:3]))}"
