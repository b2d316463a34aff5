"""What /version says: the Kubernetes version whose API is served."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any, Final

MAJOR: Final = "1"
MINOR: Final = "37"
KUBERNETES_VERSION: Final = f"v{MAJOR}.{MINOR}.0"


def git_version() -> str:
    """v1.37.0+kctl-0.1.0"""
    try:
        build = metadata.version("kctl")
    except metadata.PackageNotFoundError:
        build = "dev"
    return f"{KUBERNETES_VERSION}+kctl-{build}"


def info() -> dict[str, Any]:
    """The body of GET /version."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": MAJOR,
        "minor": MINOR,
        "emulationMajor": MAJOR,
        "emulationMinor": MINOR,
        "minCompatibilityMajor": MAJOR,
        "minCompatibilityMinor": str(int(MINOR) - 1),
        "gitVersion": git_version(),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"{platform.system().lower()}/{machine}",
    }
