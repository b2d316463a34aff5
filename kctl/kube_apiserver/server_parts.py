"""What request handlers and strategies may use of the server besides the registry: made once by the composition of server.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kctl.client.kubelet import KubeletConnector, UsageSource
from kctl.kube_apiserver.allocators import Allocators
from kctl.kube_apiserver.authentication.authenticator import Authenticator
from kctl.kube_apiserver.authentication.service_account_tokens import ServiceAccountTokens
from kctl.kube_apiserver.authorization.authorization import Authorization
from kctl.kube_apiserver.config import ApiServerConfig

if TYPE_CHECKING:
    import ssl

    from kctl.client.scheduling import SchedulingAnswers
    from kctl.kube_apiserver.streaming.dialing import Dialer


@dataclass(slots=True)
class KubeletLink:
    """The way to the kubelets, which start after the server: `connector` is None until they do."""

    connector: KubeletConnector | None = None
    usage: UsageSource | None = None
    """Where pods and nodes are measured: then metrics.k8s.io is served."""
    registering: asyncio.Task[None] | None = None
    """Makes the APIService of that."""
    dialer: Dialer | None = None
    """To the addresses of simulated pods and their Services; None where only what this machine listens on can be reached."""
    tls: ssl.SSLContext | None = None
    """Of the server's port, where it has one: programs in simulated pods meet the same certificate."""


@dataclass(slots=True)
class SchedulerLink:
    """To the scheduler in this process: `answers` is None where there is none."""

    answers: Callable[[], SchedulingAnswers] | None = None


@dataclass(frozen=True, slots=True)
class ServerParts:
    config: ApiServerConfig
    allocators: Allocators
    service_account_tokens: ServiceAccountTokens
    authenticator: Authenticator
    authorization: Authorization
    kubelets: KubeletLink = field(default_factory=KubeletLink)
    scheduler: SchedulerLink = field(default_factory=SchedulerLink)
