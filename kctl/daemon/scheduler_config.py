"""What a cluster's settings say of its scheduler: the file with its KubeSchedulerConfiguration."""

from __future__ import annotations

from pathlib import Path

from controllers.kube_scheduler.config.decode import InvalidConfiguration as InvalidConfiguration
from controllers.kube_scheduler.config.load import SchedulerConfiguration, load
from kctl.daemon.config import ClusterConfig


def scheduler_configuration(config: ClusterConfig) -> SchedulerConfiguration | None:
    """None where none is named. Raises InvalidConfiguration."""
    return load(Path(config.scheduler_config)) if config.scheduler_config else None
