"""The audit policy that a cluster's settings name."""

from __future__ import annotations

from pathlib import Path

from kctl.daemon.config import ClusterConfig
from kctl.kube_apiserver.audit.policy import InvalidPolicy as InvalidPolicy
from kctl.kube_apiserver.audit.policy import Policy, load


def audit_policy(config: ClusterConfig) -> Policy | None:
    """None where none is named. Raises InvalidPolicy."""
    return load(Path(config.audit_policy_file)) if config.audit_policy_file else None
