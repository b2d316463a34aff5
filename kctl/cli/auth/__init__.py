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
        "reconcile": Lazy(
            "kctl.cli.auth.reconcile",
            "AuthReconcile",
            "Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding objects",
        ),
        "whoami": Lazy("kctl.cli.auth.whoami", "AuthWhoami", "Check self subject attributes"),
    }
