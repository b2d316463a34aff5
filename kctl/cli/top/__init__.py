"""kctl top: what nodes and pods use."""

from __future__ import annotations

from kctl.cli.command import Group
from kctl.cli.lazy import Lazy


def _at(module: str, short_help: str, attribute: str) -> Lazy:
    return Lazy(f"kctl.cli.top.{module}", attribute, short_help)


class Top(Group):
    """Display resource (CPU/memory) usage.

    What nodes and pods use, as metrics.k8s.io tells it: on simulated nodes what the pods' annotations say, or a share of what they request.
    """

    name = "top"
    usage = "[flags]"
    help_on_stdout = True
    aliases = {"nodes": "node", "no": "node", "pods": "pod", "po": "pod"}
    members = {
        "node": _at("node", "Display resource (CPU/memory) usage of nodes", "TopNode"),
        "pod": _at("pod", "Display resource (CPU/memory) usage of pods", "TopPod"),
    }
