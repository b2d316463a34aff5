"""Selectors of webhooks and admission policies: by the labels of the object and by those of its namespace."""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES
from kctl.apimachinery.status import not_found
from kctl.kube_apiserver.admission.plugin import Operation, Server


def selects_object(selector: Selector, obj: Object | None, old: Object | None) -> bool:
    """One of the two is enough. What has no metadata (the options of a connection) has no labels to select."""
    if not selector.requirements:
        return True
    labelled = (each for each in (obj, old) if each is not None and "metadata" in each)
    return any(selector.matches(objects.labels(each)) for each in labelled)


def selects_namespace(selector: Selector, server: Server, operation: Operation, obj: Object | None) -> bool:
    """Cluster-wide objects are in no namespace, so no selector excludes them; a namespace itself is selected by its own labels. Raises
    NotFound where the namespace is gone."""
    resource = operation.resource
    is_namespace = resource.plural == "namespaces" and not resource.group
    if not selector.requirements or (not operation.namespace and not is_namespace):
        return True
    if is_namespace and not operation.subresource and operation.operation in ("CREATE", "UPDATE") and obj is not None:
        return selector.matches(objects.labels(obj))
    name = operation.name if is_namespace else operation.namespace
    namespace = server.get_cached(NAMESPACES, "", name)
    if namespace is None:
        raise not_found("", "namespaces", name)
    return selector.matches(objects.labels(namespace))
