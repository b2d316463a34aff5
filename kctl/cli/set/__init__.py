"""kctl set: change one kind of thing in objects that exist."""

from __future__ import annotations

from kctl.cli.command import Group
from kctl.cli.lazy import Lazy


class Set(Group):
    """Configure application resources.

    These commands change one property of objects that exist already.
    """

    name = "set"
    usage = "SUBCOMMAND"
    members = {"image": Lazy("kctl.cli.set.image", "SetImage", "Update the image of a pod template")}
    not_yet = frozenset({"env", "resources", "selector", "serviceaccount", "subject"})
