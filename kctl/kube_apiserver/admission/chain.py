"""The admission plugins in upstream's recommended order, the only place that orders them.

Each step names a module that defines `PLUGIN`, an AdmissionPlugin, and the resources it is about. The module is imported when
something of these is first written, and where the plugin enforces what is said in other objects (LimitRanges, quotas, webhooks), only
while there are any: a cluster without them pays nothing, neither at start nor for a pod. What is not listed is not enforced.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import NamedTuple

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation, Server
from kctl.kube_apiserver.registry.strategy import Context
from kctl.kube_apiserver.watch_cache import WatchCache

_PACKAGE = __package__ or "kctl.kube_apiserver.admission"


@dataclass(slots=True)
class Step:
    """`resources` as plural.group, none = all of them; `only_with`: the resources without any object of which it has nothing to do."""

    module: str
    resources: tuple[str, ...] = ()
    only_with: tuple[str, ...] = ()
    plugin: AdmissionPlugin | None = None
    """Once it is loaded, or where it was given."""
    caches: list[WatchCache] = field(default_factory=list)
    """Those of `only_with`."""
    awake: bool = True

    def is_about(self, name: str) -> bool:
        return not self.resources or name in self.resources


_CSR = ("certificatesigningrequests.certificates.k8s.io",)
_STEPS = (
    ("namespace_lifecycle",),
    ("limit_ranger", ("pods", "persistentvolumeclaims"), ("limitranges",)),
    ("service_account", ("pods",)),
    ("priority", ("pods", "priorityclasses.scheduling.k8s.io")),
    ("default_toleration_seconds", ("pods",)),
    ("runtime_class", ("pods",)),
    ("certificate_approval", _CSR),
    ("certificate_signing", _CSR),
    ("certificate_subject_restriction", _CSR),
    ("resource_quota", (), ("resourcequotas",)),
)


Hook = Callable[[AdmissionPlugin], Awaitable[None] | None]


class _Wanted(NamedTuple):
    """Who wants to see an operation."""

    plugins: tuple[AdmissionPlugin, ...]
    per_object: tuple[AdmissionPlugin, ...]
    depends_on: tuple[tuple[str, str], ...]


def _in_turn(plugins: Iterator[AdmissionPlugin], hook: Hook) -> Awaitable[None] | None:
    """One after the other. As long as none has to wait this is a plain loop: no coroutine is made for plugins that answer at once."""
    for plugin in plugins:
        pending = hook(plugin)
        if pending is not None:
            return _rest(pending, plugins, hook)
    return None


async def _rest(pending: Awaitable[None], plugins: Iterator[AdmissionPlugin], hook: Hook) -> None:
    await pending
    for plugin in plugins:
        more = hook(plugin)
        if more is not None:
            await more


class AdmissionChain:
    """Connected to the server it works for before the first request."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)
        self._sleepers: tuple[Step, ...] = ()
        self._server: Server | None = None
        self._wanted: dict[tuple[str, str, str, str], _Wanted] = {}

    def connect(self, server: Server) -> None:
        self._server = server
        self._sleepers = tuple(step for step in self.steps if step.only_with)
        for step in self._sleepers:
            step.caches = [_cache(server, name) for name in step.only_with]
            step.awake = any(cache.entries for cache in step.caches)

    def extended(self, *plugins: AdmissionPlugin) -> AdmissionChain:
        """This chain with more plugins at its end."""
        chain = AdmissionChain([*self.steps, *(Step("", plugin=plugin) for plugin in plugins)])
        if self._server is not None:
            chain.connect(self._server)
        return chain

    def _for(self, operation: Operation) -> _Wanted:
        for step in self._sleepers:
            for cache in step.caches:
                if cache.entries:
                    awake = True
                    break
            else:
                awake = False
            if awake is not step.awake:
                step.awake = awake
                self._wanted.clear()
        resource = operation.resource
        key = (operation.operation, resource.group, resource.plural, operation.subresource)
        wanted = self._wanted.get(key)
        if wanted is None:
            wanted = self._wanted[key] = self._choose(operation)
        return wanted

    def preload(self, resource: ResourceType) -> None:
        """Import what a write of the resource needs, and what its objects will wake; for a thread."""
        name = _name(resource)
        for step in self.steps:
            awake = not step.caches or any(cache.entries for cache in step.caches)
            if step.plugin is None and (name in step.only_with or (awake and step.is_about(name))):
                import_module(f"{_PACKAGE}.{step.module}")

    def _choose(self, operation: Operation) -> _Wanted:
        name = _name(operation.resource)
        concerned = [step for step in self.steps if step.awake and step.is_about(name)]
        plugins = tuple(plugin for plugin in map(self._load, concerned) if plugin.wants(operation))
        depends_on = tuple(dict.fromkeys(other for plugin in plugins for other in plugin.depends_on))
        return _Wanted(plugins, tuple(plugin for plugin in plugins if plugin.per_object), depends_on)

    def _load(self, step: Step) -> AdmissionPlugin:
        if step.plugin is None:
            plugin: AdmissionPlugin = import_module(f"{_PACKAGE}.{step.module}").PLUGIN
            assert self._server is not None
            step.plugin = plugin.bind(self._server)
        return step.plugin

    def concerns(self, operation: Operation) -> bool:
        """Whether any plugin wants to see it."""
        return bool(self._for(operation).plugins)

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        """None where every plugin was content at once; else what to wait for (a webhook among them)."""
        return _in_turn(iter(self._for(operation).plugins), lambda plugin: plugin.admit(context, obj, old, operation))

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        return _in_turn(iter(self._for(operation).plugins), lambda plugin: plugin.validate(context, obj, old, operation))

    def validate_each(self, context: Context, obj: Object, operation: Operation) -> Awaitable[None] | None:
        """Only the plugins whose verdict differs from object to object, for an object whose spec is already admitted."""
        return _in_turn(iter(self._for(operation).per_object), lambda plugin: plugin.validate(context, obj, None, operation))

    def depends_on(self, operation: Operation) -> tuple[tuple[str, str], ...]:
        return self._for(operation).depends_on


def _name(resource: ResourceType) -> str:
    return f"{resource.plural}.{resource.group}".rstrip(".")


def _cache(server: Server, name: str) -> WatchCache:
    plural, _, group = name.partition(".")
    resource = server.table.preferred(group, plural)
    return server.storage.cache(group, plural, resource is None or resource.namespaced)


def load() -> AdmissionChain:
    return AdmissionChain([Step(*facts) for facts in _STEPS])
