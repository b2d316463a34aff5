"""ServiceAccounts: nothing but metadata and references."""

from __future__ import annotations

from kctl.kube_apiserver.registry.strategy import Strategy


class ServiceAccountStrategy(Strategy):
    has_generation = False
    returns_deleted_object = True


STRATEGY = ServiceAccountStrategy()
