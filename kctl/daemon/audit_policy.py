"""What a cluster's settings say of the audit log: the policy, and what is kept of the log."""

from __future__ import annotations

from pathlib import Path

from kctl.daemon.config import ClusterConfig
from kctl.kube_apiserver.audit.log import Rotation
from kctl.kube_apiserver.audit.policy import InvalidPolicy as InvalidPolicy
from kctl.kube_apiserver.audit.policy import Policy, load


def audit_policy(config: ClusterConfig) -> Policy | None:
    """None where none is named. Raises InvalidPolicy."""
    return load(Path(config.audit_policy_file)) if config.audit_policy_file else None


def rotation(config: ClusterConfig) -> Rotation:
    return Rotation(config.audit_log_maxsize, config.audit_log_maxbackup, config.audit_log_maxage, config.audit_log_compress)
