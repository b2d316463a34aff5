"""kube-scheduler: assigns pods to nodes, never starts one."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from controllers.kube_scheduler.profile import Profile, default_profile
from controllers.kube_scheduler.scheduler import Configured, Extension, Scheduler
from controllers.runtime.events import EventRecorder
from controllers.runtime.informer import Change, InformerFactory
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS
from kctl.client.client import Client

if TYPE_CHECKING:
    from controllers.kube_scheduler.config.load import SchedulerConfiguration
    from controllers.kube_scheduler.extenders import Extenders
    from kctl.client.scheduling import SchedulingAnswers

log = logging.getLogger(__name__)


class KubeScheduler:
    """The component: `run` until told to stop."""

    name = "kube-scheduler"

    def __init__(
        self,
        client: Client,
        informers: InformerFactory,
        clock: Clock,
        randomness: random.Random,
        configuration: SchedulerConfiguration | None = None,
        *,
        device_selectors: Callable[[str], Callable[[str, Object], bool]] | None = None,
    ) -> None:
        """`device_selectors` compiles CEL expressions about devices (devices/plugin.py); without it none can be told from another. Raises
        InvalidConfiguration where a plugin from outside cannot be made."""
        self._informers = informers
        self._nodes = informers.informer(NODES)
        self._pods = informers.informer(PODS)
        self._configuration = configuration
        self._extenders: Extenders | None = None
        self._client = client
        self._clock = clock
        self._randomness = randomness
        self._device_selectors = device_selectors or _no_selectors
        extensions = {"claims": self._volumes, "devices": self._devices, "priorities": self._preemption, "relations": self._relations}
        self.scheduler = self._default(extensions) if configuration is None else self._configured(configuration, extensions)

    def _default(self, extensions: Mapping[str, Extension]) -> Scheduler:
        self._recorder = EventRecorder(self._client, self._clock, "default-scheduler")
        profile = default_profile(self._client)
        return Scheduler(profile, self._client, self._pods, self._recorder, self._clock, self._randomness, extensions)

    def _configured(self, configuration: SchedulerConfiguration, extensions: Mapping[str, Extension]) -> Scheduler:
        from controllers.kube_scheduler import configured
        from controllers.kube_scheduler.cache import Cache
        from controllers.kube_scheduler.extenders import Extenders
        from controllers.kube_scheduler.waiting_pods import Handle, WaitingPods

        client, clock, randomness = self._client, self._clock, self._randomness
        cache, waiting = Cache(), WaitingPods()
        handle = Handle(cache, client, clock, randomness, waiting)
        first, *others = configured.profiles(configuration, client, handle)
        if configuration.extenders:
            self._extenders = Extenders(configuration.extenders)
        backoff = configuration.initial_backoff_seconds, configuration.max_backoff_seconds
        more = Configured(tuple(others), backoff, self._extenders, waiting)
        self._recorder = EventRecorder(client, clock, first.scheduler_name)
        scheduler = Scheduler(first, client, self._pods, self._recorder, clock, randomness, extensions, more, cache)

        def activate(*keys: str) -> None:
            scheduler.handle_pods([Change(None, pod) for key in keys if (pod := self._pods.get(key)) is not None])
            scheduler.queue.move(lambda queued: queued.info.key in keys)

        handle.activate = activate
        return scheduler

    async def _volumes(self) -> Callable[[Profile], Profile]:
        """Imported with the first pod that has claims."""
        from controllers.kube_scheduler import volume_profile

        return await volume_profile.load(self._client, self._informers, self._clock, self.scheduler)

    async def _devices(self) -> Callable[[Profile], Profile]:
        """Imported with the first pod that has ResourceClaims."""
        from controllers.kube_scheduler.devices import profile

        return await profile.load(self._client, self._informers, self._device_selectors, self._randomness, self.scheduler)

    async def _preemption(self) -> Callable[[Profile], Profile]:
        """Imported with the first pod of another priority than most."""
        from controllers.kube_scheduler.preemption import profile

        return await profile.load(self._informers, self._randomness, self.scheduler)

    async def _relations(self) -> Callable[[Profile], Profile]:
        """Imported with the first pod that says something of others."""
        from controllers.kube_scheduler.relations import profile

        return await profile.load(self._informers, self.scheduler)

    def answers(self) -> SchedulingAnswers:
        """What is asked of it over the API server; imported with the first question."""
        from controllers.kube_scheduler.answers import Answers

        return Answers(self.scheduler, self._clock)

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        await self._informers.start()
        if self._configuration is not None and self._configuration.spreads_by_default:
            await self.scheduler.load("relations")
        self._nodes.add_handler(self.scheduler.handle_nodes)
        self._pods.add_handler(self.scheduler.handle_pods)
        log.info("scheduling for %s", ", ".join(self.scheduler.profiles))
        ready()
        try:
            await self.scheduler.run(stop)
        finally:
            await self._recorder.sink.stop()
            if self._extenders is not None:
                await self._extenders.close()


def _no_selectors(expression: str) -> Callable[[str, Object], bool]:
    raise ValueError("CEL expressions are not evaluated by this scheduler")
