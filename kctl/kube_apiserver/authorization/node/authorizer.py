"""The Node authorizer: nodes (system:node:NAME in system:nodes) and what they may do, by the node's name and its graph.

What the system:node role allows is the outer bound; for the kinds named below it is the node's own objects only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import TYPE_CHECKING

from kctl.apimachinery.rbac import matching
from kctl.apimachinery.user import SYSTEM_NODES, User
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.authorization.authorizer import ALLOWED, NO_OPINION, Decision, KnownRules, Verdict
from kctl.kube_apiserver.authorization.rbac.default_policy import matchers_of
from kctl.kube_apiserver.storage import Storage

if TYPE_CHECKING:
    from kctl.kube_apiserver.authorization.node.graph import NodeGraph

PREFIX = "system:node:"
LEASES = "kube-node-lease"
_READ = ("get", "list", "watch")
_OWN = ("get", "create", "update", "patch", "delete")
_UNRELATED = "no relationship found between node '{}' and this object"


def node_of(user: User) -> str | None:
    """The node a user is; '' where it is one but does not say which, None where it is none."""
    if SYSTEM_NODES not in user.groups or not user.name.startswith(PREFIX):
        return None
    return user.name[len(PREFIX) :]


def _no(reason: str) -> Verdict:
    return Verdict(Decision.NO_OPINION, reason)


@cache
def _statically_allowed(verb: str, group: str, resource: str, subresource: str) -> bool:
    return matching.any_object(matchers_of("", "system:node"), verb, group, resource, subresource)


class NodeAuthorizer:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._special: dict[tuple[str, str], Callable[[str, Attributes], Verdict]] = {
            ("", "secrets"): self._secret,
            ("", "configmaps"): self._config_map,
            ("", "persistentvolumeclaims"): self._claim,
            ("", "persistentvolumes"): self._volume,
            ("resource.k8s.io", "resourceclaims"): self._resource_claim,
            ("storage.k8s.io", "volumeattachments"): self._attachment,
            ("", "serviceaccounts"): self._account,
            ("coordination.k8s.io", "leases"): self._lease,
            ("storage.k8s.io", "csinodes"): self._csi_node,
            ("resource.k8s.io", "resourceslices"): self._slice,
            ("", "nodes"): self._node,
            ("", "pods"): self._pod,
            ("certificates.k8s.io", "podcertificaterequests"): self._certificate_request,
        }

    def authorize(self, attributes: Attributes) -> Verdict:
        asked = attributes
        node = node_of(asked.user)
        if node is None:
            return NO_OPINION
        if not node:
            return _no(f'unknown node for user "{asked.user.name}"')
        if not asked.is_resource:
            return NO_OPINION
        special = self._special.get((asked.group, asked.resource))
        if special is not None:
            return special(node, asked)
        return ALLOWED if _statically_allowed(asked.verb, asked.group, asked.resource, asked.subresource) else NO_OPINION

    def permits(self, user: User, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
        if not node_of(user):
            return False
        if (group, resource) == ("", "pods"):
            return bool(subresource or verb in ("create", "delete")) and _statically_allowed(verb, group, resource, subresource)
        if (group, resource) == ("", "nodes"):
            return verb in ("update", "patch") and subresource in ("", "status")
        return (group, resource) not in self._special and _statically_allowed(verb, group, resource, subresource)

    def rules_for(self, user: User, namespace: str) -> KnownRules:
        """Nodes are told nothing: what they may do hangs on their pods."""
        if node_of(user) is None:
            return KnownRules([], [])
        return KnownRules([], [], True, "node authorizer does not support user rule resolution")

    def on_change(self, callback: Callable[[], None]) -> None:
        """What it permits whatever the name is changes only with the program."""

    @cached_property
    def _graph(self) -> NodeGraph:
        """Imported when a kubelet first asks for what it must have something to do with; those of simulated nodes never do."""
        from kctl.kube_apiserver.authorization.node.graph import NodeGraph

        return NodeGraph(self._storage)

    # ---- kinds of which a node may see its own

    def _related(self, node: str, asked: Attributes, has: Callable[[str, str, str], bool]) -> Verdict:
        if not asked.name:
            return _no("No Object name found")
        return ALLOWED if has(node, asked.namespace, asked.name) else _no(_UNRELATED.format(node))

    def _read(self, node: str, asked: Attributes, has: Callable[[str, str, str], bool]) -> Verdict:
        if asked.verb not in _READ:
            return _no("can only read resources of this type")
        if asked.subresource:
            return _no("cannot read subresource")
        if not asked.namespace:
            return _no("can only read namespaced object of this type")
        return self._related(node, asked, has)

    def _get(self, node: str, asked: Attributes, has: Callable[[str, str, str], bool]) -> Verdict:
        if asked.verb != "get":
            return _no("can only get individual resources of this type")
        if asked.subresource:
            return _no("cannot get subresource")
        return self._related(node, asked, has)

    def _secret(self, node: str, asked: Attributes) -> Verdict:
        return self._read(node, asked, self._graph.has_secret)

    def _config_map(self, node: str, asked: Attributes) -> Verdict:
        return self._read(node, asked, self._graph.has_config_map)

    def _claim(self, node: str, asked: Attributes) -> Verdict:
        if asked.subresource != "status":
            return self._get(node, asked, self._graph.has_claim)
        if asked.verb not in ("update", "patch"):
            return _no("can only get/update/patch this type")
        return self._related(node, asked, self._graph.has_claim)

    def _volume(self, node: str, asked: Attributes) -> Verdict:
        return self._get(node, asked, lambda node, _, name: self._graph.has_volume(node, name))

    def _resource_claim(self, node: str, asked: Attributes) -> Verdict:
        return self._get(node, asked, self._graph.has_resource_claim)

    def _attachment(self, node: str, asked: Attributes) -> Verdict:
        return self._get(node, asked, lambda node, _, name: self._graph.has_attachment(node, name))

    def _account(self, node: str, asked: Attributes) -> Verdict:
        if asked.verb == "get" and not asked.subresource:
            return self._read(node, asked, self._graph.has_account)
        if asked.verb != "create" or not asked.name:
            return _no("can only create tokens for individual service accounts")
        if asked.subresource != "token":
            return _no("can only create token subresource of serviceaccount")
        return self._related(node, asked, self._graph.has_account)

    # ---- kinds that bear the node's name

    def _lease(self, node: str, asked: Attributes) -> Verdict:
        if asked.verb not in _OWN:
            return _no("can only get, create, update, patch, or delete a node lease")
        if asked.namespace != LEASES:
            return _no(f'can only access leases in the "{LEASES}" system namespace')
        if asked.verb != "create" and asked.name != node:
            return _no("can only access node lease with the same name as the requesting node")
        return ALLOWED

    def _csi_node(self, node: str, asked: Attributes) -> Verdict:
        if asked.verb not in _OWN:
            return _no("can only get, create, update, patch, or delete a CSINode")
        if asked.subresource:
            return _no("cannot authorize CSINode subresources")
        if asked.verb != "create" and asked.name != node:
            return _no("can only access CSINode with the same name as the requesting node")
        return ALLOWED

    def _slice(self, node: str, asked: Attributes) -> Verdict:
        if asked.subresource:
            return _no("cannot authorize ResourceSlice subresources")
        if asked.verb == "create":
            return ALLOWED
        if asked.verb in ("get", "update", "patch", "delete"):
            return self._related(node, asked, lambda node, _, name: self._graph.has_slice(node, name))
        if asked.verb in ("watch", "list", "deletecollection"):
            if _selects(asked, "spec.nodeName", node):
                return ALLOWED
            return _no("can only list/watch/deletecollection resourceslices with nodeName field selector")
        verbs = "get, watch, list, create, update, patch, delete, deletecollection"
        return _no(f"only the following verbs are allowed for a ResourceSlice: {verbs}")

    def _certificate_request(self, node: str, asked: Attributes) -> Verdict:
        if asked.subresource:
            return _no("nodes may not access the status subresource of PodCertificateRequests")
        if asked.verb == "create":
            return ALLOWED
        if asked.verb == "get":
            return self._related(node, asked, self._graph.has_certificate_request)
        if asked.verb in ("list", "watch"):
            if _selects(asked, "spec.nodeName", node):
                return ALLOWED
            return _no("can only list/watch podcertificaterequests with nodeName field selector")
        return _no(f"nodes may not {asked.verb} podcertificaterequests")

    def _node(self, node: str, asked: Attributes) -> Verdict:
        if asked.verb in ("update", "patch") and asked.subresource in ("", "status"):
            return ALLOWED
        if asked.subresource:
            return NO_OPINION
        if asked.verb == "create":
            return ALLOWED
        if asked.verb not in _READ:
            return NO_OPINION
        if asked.name == node:
            return ALLOWED
        if not asked.name:
            return _no(f"node '{node}' cannot read all nodes, only its own Node object")
        return _no(f"node '{node}' cannot read '{asked.name}', only its own Node object")

    def _pod(self, node: str, asked: Attributes) -> Verdict:
        if asked.subresource or asked.verb in ("create", "delete"):
            allowed = _statically_allowed(asked.verb, "", "pods", asked.subresource)
            return ALLOWED if allowed else NO_OPINION
        if asked.verb == "get":
            return self._related(node, asked, self._graph.has_pod)
        if asked.verb in ("list", "watch"):
            if _selects(asked, "spec.nodeName", node):
                return ALLOWED
            if asked.name:
                return self._related(node, asked, self._graph.has_pod)
            return _no("can only list/watch pods with spec.nodeName field selector")
        return NO_OPINION


def _selects(asked: Attributes, path: str, value: str) -> bool:
    return asked.fields.get(path) == value
