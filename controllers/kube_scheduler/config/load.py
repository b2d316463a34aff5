"""A scheduler's configuration from a file (kube-scheduler's --config)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controllers.kube_scheduler.config import guests
from controllers.kube_scheduler.config.decode import InvalidConfiguration, decode
from controllers.kube_scheduler.config.defaults import with_defaults
from controllers.kube_scheduler.config.plan import Plan, plan
from controllers.kube_scheduler.config.validation import errors_of
from kctl.apimachinery.field_errors import aggregate
from kctl.apimachinery.objects import Object

_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class SchedulerConfiguration:
    """`notices`: what was given and has no effect here, a sentence each."""

    plans: tuple[Plan, ...]
    extenders: tuple[Object, ...] = ()
    initial_backoff_seconds: float = 1.0
    max_backoff_seconds: float = 10.0
    notices: tuple[str, ...] = ()

    @property
    def spreads_by_default(self) -> bool:
        """Pods without topology spread constraints are given some."""
        plans = (plan for plan in self.plans if "PodTopologySpread" in plan.at["filter"] + plan.at["score"])
        args = [plan.args.get("PodTopologySpread") or {} for plan in plans]
        return any(each.get("defaultingType") == "System" or each.get("defaultConstraints") for each in args)


def load(path: Path) -> SchedulerConfiguration:
    """Raises InvalidConfiguration."""
    try:
        if path.stat().st_size > _LARGEST:
            raise InvalidConfiguration(f"{path} is larger than {_LARGEST // 2**20} MiB")
        text = path.read_bytes()
    except OSError as error:
        raise InvalidConfiguration(f"open {path}: {(error.strerror or str(error)).lower()}") from None
    return parse(text)


def parse(text: str | bytes) -> SchedulerConfiguration:
    """Raises InvalidConfiguration."""
    given = decode(text)
    configuration = with_defaults(given)
    errors = errors_of(configuration)
    if errors:
        raise InvalidConfiguration(aggregate(errors))
    share = configuration["percentageOfNodesToScore"]
    return SchedulerConfiguration(
        tuple(plan(profile, share, guests.points_of) for profile in configuration["profiles"]),
        tuple(configuration["extenders"]),
        float(configuration["podInitialBackoffSeconds"]),
        float(configuration["podMaxBackoffSeconds"]),
        tuple(_notices(given)),
    )


def _notices(given: Object) -> Iterator[str]:
    if (given.get("leaderElection") or {}).get("leaderElect"):
        yield "leaderElection has no effect: there is one scheduler, and it is always the leader"
    if given.get("clientConnection"):
        yield "clientConnection has no effect: the scheduler is in one process with the API server"
    for name in ("enableProfiling", "enableContentionProfiling"):
        if given.get(name):
            yield f"{name} has no effect: the scheduler serves no profiles"
    if given.get("parallelism") is not None:
        yield "parallelism has no effect: one thread looks at all nodes"
    if given.get("delayCacheUntilActive"):
        yield "delayCacheUntilActive has no effect: there is one scheduler, and it is always active"
    for index, profile in enumerate(given.get("profiles") or ()):
        plugins = profile.get("plugins") or {}
        named = [each.get("name") for kind in ("enabled", "disabled") for each in (plugins.get("preScore") or {}).get(kind) or ()]
        if any(guests.is_in_tree(str(name)) or name == "*" for name in named):
            yield f"profiles[{index}].plugins.preScore has no effect on the scheduler's own plugins: they score without it"
