"""Where an autoscaler's numbers come from: metrics.k8s.io (resources), custom.metrics.k8s.io (pods and objects), external.metrics.k8s.io.

All of them are asked through the API server, which serves the first itself where nodes are simulated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from controllers.kube_controller_manager.horizontal_pod_autoscaler.replicas import MetricFailure, Sample
from kctl.apimachinery import objects, quantity, times
from kctl.apimachinery.metrics_resources import POD_METRICS
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES, ResourceType
from kctl.apimachinery.status import ApiError, NotFound
from kctl.client.client import Client
from kctl.client.discovery import discover
from kctl.client.transport import ApiRequest

_DEFAULT_WINDOW = timedelta(seconds=60)
_CUSTOM, _CUSTOM_VERSION = "custom.metrics.k8s.io", "v1beta2"
_EXTERNAL, _EXTERNAL_VERSION = "external.metrics.k8s.io", "v1beta1"


class MetricsClient:
    """Methods raise MetricFailure with upstream's words."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def resource(self, resource: str, namespace: str, selector: str, container: str = "") -> dict[str, Sample]:
        """By pod name, in thousandths of the resource's unit; of one container where it is named."""
        try:
            items = (await self._client.list(POD_METRICS, namespace, label_selector=selector)).get("items") or ()
        except ApiError as error:
            why = f"{error}" if not isinstance(error, NotFound) else _no_resource("pods.metrics.k8s.io")
            raise MetricFailure(f"unable to fetch metrics from resource metrics API: {why}") from error
        if not items:
            raise MetricFailure("no metrics returned from resource metrics API")
        found = {}
        for item in items:
            value = _usage(item, resource, container)
            if value is not None:
                found[objects.name(item)] = Sample(value, times.parse(item["timestamp"]), _window(item))
        return found

    async def of_pods(self, metric: str, namespace: str, selector: str, metric_selector: str) -> dict[str, Sample]:
        items = await self._custom(f"pods/*/{metric}", namespace, selector, metric_selector)
        return {
            str(item["describedObject"]["name"]): Sample(quantity.milli(item["value"]), times.parse(item["timestamp"]), _seconds(item))
            for item in items
        }

    async def of_object(self, metric: str, namespace: str, described: Mapping[str, Any], metric_selector: str) -> int:
        plural = f"{str(described['kind']).lower()}s"
        group = str(described.get("apiVersion") or "").rpartition("/")[0]
        path = f"{plural}.{group}" if group else plural
        items = await self._custom(f"{path}/{described['name']}/{metric}", namespace, "", metric_selector)
        if not items:
            raise MetricFailure("unable to fetch metrics from custom metrics API: no metrics returned")
        return quantity.milli(items[0]["value"])

    async def external(self, metric: str, namespace: str, metric_selector: str) -> list[int]:
        resource = _metric_type(_EXTERNAL, _EXTERNAL_VERSION, metric)
        if not await self._is_served(_EXTERNAL):
            raise MetricFailure(f"unable to fetch metrics from external metrics API: {_no_resource(f'{metric}.{_EXTERNAL}')}")
        try:
            answer = await self._client.list(resource, namespace, label_selector=metric_selector)
        except ApiError as error:
            why = f"{error}" if not isinstance(error, NotFound) else _no_resource(f"{metric}.{_EXTERNAL}")
            raise MetricFailure(f"unable to fetch metrics from external metrics API: {why}") from error
        items = answer.get("items") or ()
        if not items:
            raise MetricFailure("no metrics returned from external metrics API")
        return [quantity.milli(item["value"]) for item in items]

    async def _is_served(self, group: str) -> bool:
        try:
            return any(resource.group == group for resource in await discover(self._client.transport))
        except ApiError as error:
            raise MetricFailure(f"unable to discover {group}: {error}") from error

    async def _custom(self, path: str, namespace: str, selector: str, metric_selector: str) -> list[Object]:
        if not await self._is_served(_CUSTOM):
            raise MetricFailure(f"unable to fetch metrics from custom metrics API: no custom metrics API ({_CUSTOM}) registered")
        plural, name, metric = path.split("/")
        query = {key: value for key, value in (("labelSelector", selector), ("metricLabelSelector", metric_selector)) if value}
        request = ApiRequest("get", _metric_type(_CUSTOM, _CUSTOM_VERSION, plural), namespace, name, metric, query)
        try:
            answer = (await self._client.transport.request(request)).object
        except ApiError as error:
            raise MetricFailure(f"unable to fetch metrics from custom metrics API: {error}") from error
        return list(answer.get("items") or ())


def _metric_type(group: str, version: str, plural: str) -> ResourceType:
    """These APIs have a resource for each metric."""
    return NAMESPACES._replace(group=group, version=version, kind="MetricValueList", plural=plural, namespaced=True, subresources=())


def _no_resource(name: str) -> str:
    return f"the server could not find the requested resource (get {name})"


def _usage(item: Object, resource: str, container: str) -> int | None:
    """Summed over the containers; None where one says nothing of it."""
    total, known = 0, False
    for each in item.get("containers") or ():
        if container and each.get("name") != container:
            continue
        value = (each.get("usage") or {}).get(resource)
        if value is None:
            return None
        total, known = total + quantity.milli(value), True
    if container and not known:
        raise MetricFailure(f"container {container} not present in metrics for pod {objects.key(item)}")
    return total if known else None


def _window(item: Object) -> timedelta:
    text = item.get("window")
    return timedelta(seconds=times.parse_duration(str(text))) if text else _DEFAULT_WINDOW


def _seconds(item: Object) -> timedelta:
    seconds = item.get("windowSeconds")
    return _DEFAULT_WINDOW if seconds is None else timedelta(seconds=int(seconds))
