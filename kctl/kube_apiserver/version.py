"""What /version says: the Kubernetes version whose API is served."""

from __future__ import annotations

import sys
from typing import Any

from kctl.apimachinery.kubernetes_version import KUBERNETES_COMMIT, KUBERNETES_VERSION, MAJOR, MINOR, platform_name, runtime_version


def info() -> dict[str, Any]:
    """The body of GET /version."""
    return {
        "major": MAJOR,
        "minor": MINOR,
        "emulationMajor": MAJOR,
        "emulationMinor": MINOR,
        "minCompatibilityMajor": MAJOR,
        "minCompatibilityMinor": str(int(MINOR) - 1),
        "gitVersion": KUBERNETES_VERSION,
        "gitCommit": KUBERNETES_COMMIT,
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": runtime_version(),
        "compiler": sys.implementation.name,
        "platform": platform_name(),
    }
