"""Kinds the API server keeps for itself."""

from __future__ import annotations

from kctl.kube_apiserver.registry.strategy import Strategy


class InternalStrategy(Strategy):
    has_generation = False
    allow_unconditional_update = False


STRATEGY = InternalStrategy()
