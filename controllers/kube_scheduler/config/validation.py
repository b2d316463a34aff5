"""Whether a configuration makes sense, in upstream's words (pkg/scheduler/apis/config/validation). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controllers.kube_scheduler.config.args_validation import ARGS_RULES
from controllers.kube_scheduler.config.in_tree import REMOVED
from controllers.kube_scheduler.config.types import POINTS, VERSION
from kctl.apimachinery import labels
from kctl.apimachinery.field_errors import FieldError, duplicate, invalid, required
from kctl.apimachinery.objects import Object

_NATIVE = ("kubernetes.io",)
_MOST_PROFILES = 100


def errors_of(configuration: Object) -> list[FieldError]:
    """Of one with its defaults."""
    found = list(_leader_election(configuration.get("leaderElection") or {}))
    if configuration["parallelism"] <= 0:
        found.append(invalid("parallelism", configuration["parallelism"], "should be an integer value greater than zero"))
    found += _profiles(configuration["profiles"])
    found += _percentage("percentageOfNodesToScore", configuration["percentageOfNodesToScore"])
    initial, most = configuration["podInitialBackoffSeconds"], configuration["podMaxBackoffSeconds"]
    if initial <= 0:
        found.append(invalid("podInitialBackoffSeconds", initial, "must be greater than 0"))
    if most < initial:
        found.append(invalid("podMaxBackoffSeconds", most, "must be greater than or equal to PodInitialBackoffSeconds"))
    return [*found, *_extenders(configuration["extenders"])]


def _leader_election(given: Object) -> Iterator[FieldError]:
    if not given.get("leaderElect"):
        return
    lease, renew, retry = given.get("leaseDuration", 15.0), given.get("renewDeadline", 10.0), given.get("retryPeriod", 2.0)
    for name, seconds in (("leaseDuration", lease), ("renewDeadline", renew), ("retryPeriod", retry)):
        if seconds <= 0:
            yield invalid(f"leaderElection.{name}", seconds, "must be greater than zero")
    if lease < renew:
        yield invalid("leaderElection.leaseDuration", renew, "LeaseDuration must be greater than RenewDeadline")
    if (given.get("resourceLock") or "leases") != "leases":
        yield invalid("leaderElection.resourceLock", given["resourceLock"], 'resourceLock value must be "leases"')


def _percentage(path: str, value: int | None) -> Iterator[FieldError]:
    if value is not None and not 0 <= value <= 100:
        yield invalid(path, value, "not in valid range [0-100]")


def _profiles(profiles: Sequence[Object]) -> Iterator[FieldError]:
    if len(profiles) > _MOST_PROFILES:
        yield FieldError("Too many", "profiles", f"Too many: {len(profiles)}: must have at most {_MOST_PROFILES} items")
        return
    known: dict[str, int] = {}
    for index, profile in enumerate(profiles):
        path, name = f"profiles[{index}]", profile["schedulerName"]
        yield from _profile(path, profile)
        if name in known:
            yield duplicate(f"{path}.schedulerName", f"profiles[{known[name]}].schedulerName")
        known[name] = index
    yield from _queue_sort(profiles)


def _profile(path: str, profile: Object) -> Iterator[FieldError]:
    if not profile["schedulerName"]:
        yield required(f"{path}.schedulerName")
    yield from _percentage(f"{path}.percentageOfNodesToScore", profile.get("percentageOfNodesToScore"))
    for point in POINTS:
        for index, plugin in enumerate(profile["plugins"][point]["enabled"]):
            yield from _removed(f"{path}.plugins.{point}.enabled[{index}]", plugin.get("name") or "")
    seen: set[str] = set()
    for index, config in enumerate(profile["pluginConfig"]):
        here, name = f"{path}.pluginConfig[{index}]", config.get("name") or ""
        if name in seen:
            yield duplicate(here, name)
        seen.add(name)
        yield from _removed(here, name)
        if name in ARGS_RULES:
            yield from ARGS_RULES[name](f"{here}.args", config["args"])


def _removed(path: str, name: str) -> Iterator[FieldError]:
    if name in REMOVED:
        yield invalid(path, name, f'was invalid in version "v1" (KubeSchedulerConfiguration is version "{VERSION}")')


def _queue_sort(profiles: Sequence[Object]) -> Iterator[FieldError]:
    sets = [profile["plugins"]["queueSort"] for profile in profiles]
    if len(sets[0]["enabled"]) > 1:
        count = len(sets[0]["enabled"])
        yield invalid("profiles[0].plugins.queueSort.Enabled", count, "only one queue sort plugin can be enabled")
    for index, other in enumerate(sets[1:], 1):
        if other != sets[0]:
            yield invalid(f"profiles[{index}].plugins.queueSort", other, "must be the same for all profiles")
    name = sets[0]["enabled"][0].get("name") if sets[0]["enabled"] else None
    args = [next((config["args"] for config in profile["pluginConfig"] if config.get("name") == name), None) for profile in profiles]
    for index, theirs in enumerate(args[1:], 1):
        if name and theirs is not None and theirs != args[0]:
            yield invalid(f"profiles[{index}].pluginConfig.args", theirs, "queueSort must be the same for all profiles")


def _extenders(extenders: Sequence[Object]) -> Iterator[FieldError]:
    binders, managed = 0, set()
    for index, extender in enumerate(extenders):
        path = f"extenders[{index}]"
        if extender.get("prioritizeVerb") and extender.get("weight", 0) <= 0:
            yield invalid(f"{path}.weight", extender.get("weight", 0), "must have a positive weight applied to it")
        binders += bool(extender.get("bindVerb"))
        for number, resource in enumerate(extender.get("managedResources") or ()):
            here, name = f"{path}.managedResources[{number}].name", resource.get("name") or ""
            yield from _extended_resource(here, name)
            if name in managed:
                yield invalid(here, name, "duplicate extender managed resource name")
            managed.add(name)
    if binders > 1:
        yield invalid("extenders", f"found {binders} extenders implementing bind", "only one extender can implement bind")


def _extended_resource(path: str, name: str) -> list[FieldError]:
    problems = labels.validate_key(name)
    if problems:
        return [invalid(path, name, problem) for problem in problems]
    domain = name.rpartition("/")[0]
    is_native = not domain or any(domain == native or domain.endswith(f".{native}") for native in _NATIVE)
    if is_native or name.startswith("requests."):
        return [invalid(path, name, "is an invalid extended resource name")]
    return []
