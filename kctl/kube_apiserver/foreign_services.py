"""What Services hold that other API servers on the same store have written: taken here, too, as soon as this server hears of it.

Two servers that choose for two Services at the same moment may still choose the same address or port: of some 4,000 addresses and 2,768
ports each takes one by chance. Upstream excludes that by an IPAddress object and a bitmap in etcd.
"""

from __future__ import annotations

from collections.abc import Sequence

from kctl.kube_apiserver.allocators import Allocators, held_addresses, held_ports
from kctl.kube_apiserver.watch_cache import Change


def take(pools: Allocators, changes: Sequence[Change]) -> None:
    """Of one commit's changes of Services, whoever made them: to take what is taken and to free what is free changes nothing."""
    for change in changes:
        now = None if change.type == "DELETED" else change.entry.object
        addresses, ports = (list(held_addresses(now)), held_ports(now)) if now is not None else ([], set())
        for address in addresses:
            pools.cluster_ips.hold(address)
        for port in sorted(ports):
            pools.node_ports.hold(port)
        if change.old is not None:
            for address in held_addresses(change.old):
                if address not in addresses:
                    pools.cluster_ips.release(address)
            for port in sorted(held_ports(change.old) - ports):
                pools.node_ports.release(port)
