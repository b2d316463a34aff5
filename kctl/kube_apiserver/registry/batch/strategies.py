"""The strategies of this API group, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.batch.cronjob import CronJobStrategy
from kctl.kube_apiserver.registry.batch.job import JobStrategy
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {"cronjobs.batch": CronJobStrategy(), "jobs.batch": JobStrategy()}
