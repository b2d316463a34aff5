"""kctl auth: who one is, and what one may do."""

from __future__ import annotations

from kctl.cli.command import Group
from kctl.cli.lazy import Lazy


class Auth(Group):
    """Inspect authorization."""

    name = "auth"
    usage = "[flags]"
    members = {
        "can-i": Lazy("kctl.cli.auth.can_i", "AuthCanI", "Check whether an action is allowed"),
        "whoami": Lazy("kctl.cli.auth.whoami", "AuthWhoami", "Check self subject attributes"),
    }
    not_yet = frozenset({"reconcile"})
