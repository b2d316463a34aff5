"""All verbs on one served resource version (upstream's genericregistry.Store): handlers, the server's own housekeeping and whatever else
writes in this process call the same methods, with options that are parsed and objects that are decoded."""

from __future__ import annotations

from kctl.kube_apiserver.registry.delete_collection import DeleteCollection
from kctl.kube_apiserver.registry.update import Update
from kctl.kube_apiserver.registry.watch import Watch


class Endpoint(Watch, Update, DeleteCollection):
    """get, list, watch, create, update, delete, delete_collection; a patch is an update."""
