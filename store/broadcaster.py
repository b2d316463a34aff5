"""Fan-out: who listens to which prefix, called once for each commit batch."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from store.etcd import Listener
from store.types import Event

log = logging.getLogger(__name__)


class ListenerSubscription:
    def __init__(self, broadcaster: Broadcaster, prefix: str, listener: Listener) -> None:
        self.prefix = prefix
        self.listener = listener
        self._broadcaster = broadcaster

    def close(self) -> None:
        self._broadcaster.remove(self)


class Broadcaster:
    def __init__(self) -> None:
        self._subscriptions: list[ListenerSubscription] = []

    def listen(self, prefix: str, listener: Listener) -> ListenerSubscription:
        subscription = ListenerSubscription(self, prefix, listener)
        self._subscriptions.append(subscription)
        return subscription

    def remove(self, subscription: ListenerSubscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def publish(self, events: Sequence[Event]) -> None:
        """Events of one commit, in revision order."""
        for subscription in list(self._subscriptions):
            prefix = subscription.prefix
            seen = [event for event in events if event.key_value.key.startswith(prefix)]
            if not seen:
                continue
            try:
                subscription.listener(seen)
            except Exception:  # writers and the other listeners must not suffer
                log.exception("a listener of %r failed", prefix)
