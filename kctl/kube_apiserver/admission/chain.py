"""The admission plugins in upstream's recommended order, the only place that orders them.

Each module of `_MODULES` defines `PLUGIN`, an AdmissionPlugin, and must exist: what is not listed is not enforced. Not there yet
are limit_ranger (before service_account), taint_nodes_by_condition (before priority), and default_storage_class,
default_ingress_class, storage_object_in_use_protection, persistent_volume_claim_resize and resource_quota (last, in this order).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from importlib import import_module

from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

_MODULES = (
    "namespace_lifecycle",
    "service_account",
    "priority",
    "default_toleration_seconds",
    "runtime_class",
)


Hook = Callable[[AdmissionPlugin], Awaitable[None] | None]


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
    def __init__(self, plugins: Sequence[AdmissionPlugin]) -> None:
        self.plugins = tuple(plugins)
        self._wanted: dict[tuple[str, str, str, str], tuple[AdmissionPlugin, ...]] = {}

    def _for(self, operation: Operation) -> tuple[AdmissionPlugin, ...]:
        resource = operation.resource
        key = (operation.operation, resource.group, resource.plural, operation.subresource)
        found = self._wanted.get(key)
        if found is None:
            found = self._wanted[key] = tuple(plugin for plugin in self.plugins if plugin.wants(operation))
        return found

    def concerns(self, operation: Operation) -> bool:
        """Whether any plugin wants to see it."""
        return bool(self._for(operation))

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        """None where every plugin was content at once; else what to wait for (a webhook among them)."""
        return _in_turn(iter(self._for(operation)), lambda plugin: plugin.admit(context, obj, old, operation))

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        return _in_turn(iter(self._for(operation)), lambda plugin: plugin.validate(context, obj, old, operation))

    def validate_each(self, context: Context, obj: Object, operation: Operation) -> Awaitable[None] | None:
        """Only the plugins whose verdict differs from object to object, for an object whose spec is already admitted."""
        plugins = (plugin for plugin in self._for(operation) if plugin.per_object)
        return _in_turn(plugins, lambda plugin: plugin.validate(context, obj, None, operation))

    def depends_on(self, operation: Operation) -> tuple[tuple[str, str], ...]:
        return tuple(dict.fromkeys(entry for plugin in self._for(operation) for entry in plugin.depends_on))


def load() -> AdmissionChain:
    package = __package__ or "kctl.kube_apiserver.admission"
    return AdmissionChain([import_module(f"{package}.{name}").PLUGIN for name in _MODULES])
