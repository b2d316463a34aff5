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
    members = {
        "env": Lazy("kctl.cli.set.environment", "SetEnv", "Update environment variables on a pod template"),
        "image": Lazy("kctl.cli.set.image", "SetImage", "Update the image of a pod template"),
        "resources": Lazy("kctl.cli.set.resources", "SetResources", "Update resource requests/limits on objects with pod templates"),
        "selector": Lazy("kctl.cli.set.selector", "SetSelector", "Set the selector on a resource"),
        "serviceaccount": Lazy("kctl.cli.set.service_account", "SetServiceAccount", "Update the service account of a resource"),
        "subject": Lazy(
            "kctl.cli.set.subject", "SetSubject", "Update the user, group, or service account in a role binding or cluster role binding"
        ),
    }
    aliases = {"sa": "serviceaccount"}
