"""The admission plugins in upstream's recommended order, the only place that orders them.

Each step names a module that defines `PLUGIN`, an AdmissionPlugin, and the resources it is about. The module is imported when
something of these is first written, and where the plugin enforces what is said in other objects (LimitRanges, quotas, webhooks), only
while there are any: a cluster without them pays nothing, neither at start nor for a pod. What is not listed is not enforced.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation, Server
from kctl.kube_apiserver.registry.strategy import Context
from kctl.kube_apiserver.watch_cache import Change, WatchCache

_PACKAGE = __package__ or "kctl.kube_apiserver.admission"


@dataclass(slots=True)
class Step:
    """`resources` as plural.group, none = all of them; `only_with`: the resources without any object of which it has nothing to do."""

    module: str
    resources: tuple[str, ...] = ()
    only_with: tuple[str, ...] = ()
    by_rules: bool = False
    """What it is about is said in the objects of `only_with`, so it is asked again whenever one of them changes."""
    plugin: AdmissionPlugin | None = None
    """Once it is loaded, or where it was given."""
    caches: list[WatchCache] = field(default_factory=list)
    """Those of `only_with`."""
    awake: bool = True
    seen: int = 0
    """The newest revision of `caches`, where it goes by rules."""

    def is_about(self, name: str) -> bool:
        return not self.resources or name in self.resources


_WORKLOADS = (
    "replicationcontrollers",
    "podtemplates",
    "replicasets.apps",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
)
_CSR = ("certificatesigningrequests.certificates.k8s.io",)
_CLAIMS = "persistentvolumeclaims"
_GROUP = "admissionregistration.k8s.io"
_STEPS: tuple[tuple[Any, ...], ...] = (
    ("namespace_lifecycle", (), ()),
    ("limit_ranger", ("pods", _CLAIMS), ("limitranges",)),
    ("service_account", ("pods",), ()),
    ("taint_nodes_by_condition", ("nodes",), ()),
    ("pod_security", ("namespaces", "pods", *_WORKLOADS), ()),
    ("priority", ("pods", "priorityclasses.scheduling.k8s.io"), ()),
    ("default_toleration_seconds", ("pods",), ()),
    ("default_storage_class", (_CLAIMS,), ()),
    ("persistent_volume_claim_resize", (_CLAIMS,), ()),
    ("runtime_class", ("pods",), ()),
    ("certificate_approval", _CSR, ()),
    ("certificate_signing", _CSR, ()),
    ("certificate_subject_restriction", _CSR, ()),
    ("default_ingress_class", ("ingresses.networking.k8s.io",), ()),
    ("pod_topology_labels", ("pods",), ()),
    (
        "mutating_admission_policy",
        (),
        (f"mutatingadmissionpolicies.{_GROUP}", f"mutatingadmissionpolicybindings.{_GROUP}"),
        True,
    ),
    ("mutating_admission_webhook", (), (f"mutatingwebhookconfigurations.{_GROUP}",), True),
    (
        "validating_admission_policy",
        (),
        (f"validatingadmissionpolicies.{_GROUP}", f"validatingadmissionpolicybindings.{_GROUP}"),
        True,
    ),
    ("validating_admission_webhook", (), (f"validatingwebhookconfigurations.{_GROUP}",), True),
    ("resource_quota", (), ("resourcequotas",)),
)


Hook = Callable[[AdmissionPlugin], Awaitable[None] | None]


class _Wanted(NamedTuple):
    """Who wants to see an operation."""

    admitting: tuple[AdmissionPlugin, ...]
    validating: tuple[AdmissionPlugin, ...]
    per_object: tuple[AdmissionPlugin, ...]
    """Those whose verdict differs from object to object."""
    depends_on: tuple[WatchCache, ...] | None
    changes_objects: bool
    """Whether one of them may change what comes in."""
    beyond_spec: bool
    """Whether one of them looks at more than the spec."""


async def _rest(pending: Awaitable[None], plugins: Iterable[AdmissionPlugin], hook: Hook) -> None:
    """What is left of a chain one of whose plugins has to wait. As long as none has to, the chain is a plain loop: no coroutine is made
    for plugins that answer at once."""
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
        self._stirred = True
        """Whether something has come, gone or changed that wakes plugins or lets them sleep, since they were last looked at."""

    def connect(self, server: Server) -> None:
        self._server = server
        self._sleepers = tuple(step for step in self.steps if step.only_with)
        for step in self._sleepers:
            step.caches = [_cache(server, name) for name in step.only_with]
            step.awake = any(cache.entries for cache in step.caches)
            for cache in step.caches:
                cache.follow(self._stir)

    def _stir(self, changes: Sequence[Change]) -> None:
        self._stirred = True

    def extended(self, *plugins: AdmissionPlugin) -> AdmissionChain:
        """This chain with more plugins at its end."""
        chain = AdmissionChain([*self.steps, *(Step("", plugin=plugin) for plugin in plugins)])
        if self._server is not None:
            chain.connect(self._server)
        return chain

    def _look_again(self) -> None:
        self._stirred = False
        for step in self._sleepers:
            awake = any(cache.entries for cache in step.caches)
            if awake is not step.awake or (step.by_rules and awake and _newest(step) != step.seen):
                step.awake = awake
                step.seen = _newest(step)
                self._wanted.clear()

    def _for(self, operation: Operation) -> _Wanted:
        if self._stirred:
            self._look_again()
        resource = operation.resource
        key = (operation.operation, resource.group, resource.plural, operation.subresource)
        wanted = self._wanted.get(key)
        if wanted is None:
            wanted = self._wanted[key] = self._choose(operation)
        return wanted

    @property
    def awake(self) -> tuple[str, ...]:
        """Modules of the plugins that have something to do only because of what is stored."""
        return tuple([step.module for step in self._sleepers if any(cache.entries for cache in step.caches)])

    def preload(self, resource: ResourceType) -> None:
        """Import what a write of the resource needs, and what its objects will wake; for a thread."""
        name = _name(resource).replace("bindings", "pods") if not resource.group else _name(resource)
        for step in self.steps:
            awake = not step.caches or any(cache.entries for cache in step.caches)
            if step.plugin is None and (name in step.only_with or (awake and step.is_about(name))):
                import_module(f"{_PACKAGE}.{step.module}")

    def _choose(self, operation: Operation) -> _Wanted:
        name = _name(operation.resource)
        admitting, validating, per_object = list[AdmissionPlugin](), list[AdmissionPlugin](), list[AdmissionPlugin]()
        depends_on: dict[tuple[str, str], None] | None = {}
        for step in self.steps:
            if not step.awake or (step.resources and name not in step.resources):
                continue
            plugin = step.plugin or self._load(step)
            if not plugin.wants(operation):
                continue
            if type(plugin).admit is not AdmissionPlugin.admit and operation.operation in plugin.admits_on:
                admitting.append(plugin)
            if type(plugin).validate is not AdmissionPlugin.validate:
                if operation.operation in plugin.validates_on:
                    validating.append(plugin)
                if plugin.per_object:
                    per_object.append(plugin)
            if not plugin.shares_admission:
                depends_on = None
            elif depends_on is not None:
                depends_on |= dict.fromkeys(plugin.depends_on)
        assert self._server is not None
        storage = self._server.storage
        shared = None if depends_on is None else tuple(storage.cache(group, plural, True) for group, plural in depends_on)
        changes = any(plugin.changes_objects for plugin in admitting)
        beyond = not all(plugin.judges_spec_alone for plugin in (*admitting, *validating))
        return _Wanted(tuple(admitting), tuple(validating), tuple(per_object), shared, changes, beyond)

    def _load(self, step: Step) -> AdmissionPlugin:
        if step.plugin is None:
            plugin: AdmissionPlugin = import_module(f"{_PACKAGE}.{step.module}").PLUGIN
            assert self._server is not None
            step.plugin = plugin.bind(self._server)
        return step.plugin

    def concerns(self, operation: Operation) -> bool:
        """Whether any plugin wants to see it."""
        wanted = self._for(operation)
        return bool(wanted.admitting or wanted.validating)

    def changes_objects(self, operation: Operation) -> bool:
        """Whether any plugin may change what comes in."""
        return self._for(operation).changes_objects

    def concerns_finalizers(self, operation: Operation) -> bool:
        """Whether any plugin wants to see an update of nothing but finalizers."""
        return self._for(operation).beyond_spec

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        """None where every plugin was content at once; else what to wait for (a webhook among them)."""
        plugins = self._for(operation).admitting
        for position, plugin in enumerate(plugins, 1):
            pending = plugin.admit(context, obj, old, operation)
            if pending is not None:
                rest = _rest(pending, plugins[position:], lambda plugin: plugin.admit(context, obj, old, operation))
                return self._admit_again(rest, context, obj, old, operation)
        return None

    async def _admit_again(self, pending: Awaitable[None], context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        """What a webhook changed is shown to all plugins once more, and to webhooks that want to see it."""
        await pending
        reinvocation = context.reinvocation
        if reinvocation is not None and reinvocation.needed:
            reinvocation.is_second_round = True
            for plugin in self._for(operation).admitting:
                again = plugin.admit(context, obj, old, operation)
                if again is not None:
                    await again

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        plugins = self._for(operation).validating
        for position, plugin in enumerate(plugins, 1):
            pending = plugin.validate(context, obj, old, operation)
            if pending is not None:
                return _rest(pending, plugins[position:], lambda plugin: plugin.validate(context, obj, old, operation))
        return None

    def validate_each(self, context: Context, obj: Object, operation: Operation) -> Awaitable[None] | None:
        """Only the plugins whose verdict differs from object to object, for an object whose spec is already admitted."""
        plugins = self._for(operation).per_object
        for position, plugin in enumerate(plugins, 1):
            pending = plugin.validate_like(context, obj, operation)
            if pending is not None:
                return _rest(pending, plugins[position:], lambda plugin: plugin.validate_like(context, obj, operation))
        return None

    def depends_on(self, operation: Operation) -> tuple[int, ...] | None:
        """Newest revisions of all on which the outcome for a spec depends; None where it may differ from object to object."""
        caches = self._for(operation).depends_on
        return None if caches is None else tuple([cache.last_revision for cache in caches])

    def metric_lines(self) -> Iterator[str]:
        for step in self.steps:
            if step.plugin is not None:
                yield from step.plugin.metric_lines()

    async def close(self) -> None:
        for step in self.steps:
            if step.plugin is not None:
                await step.plugin.close()


def _name(resource: ResourceType) -> str:
    return f"{resource.plural}.{resource.group}".rstrip(".")


def _newest(step: Step) -> int:
    return max((cache.last_revision for cache in step.caches), default=0)


def _cache(server: Server, name: str) -> WatchCache:
    """Of what plugins enforce, only the core group's is in namespaces."""
    plural, _, group = name.partition(".")
    return server.storage.cache(group, plural, not group)


def import_plugins(resource: ResourceType) -> None:
    """Those that look at objects of this kind in a new cluster, ahead of the first one."""
    name = _name(resource)
    for step in (Step(*facts) for facts in _STEPS):
        if not step.only_with and step.is_about(name):
            import_module(f"{_PACKAGE}.{step.module}")


def load() -> AdmissionChain:
    return AdmissionChain([Step(*facts) for facts in _STEPS])
