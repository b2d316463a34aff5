"""root-ca-certificate-publisher-controller: the ConfigMap kube-root-ca.crt in every namespace, as it should be."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import namespace_terminating
from controllers.runtime.sources import For, Source, Watches, changed_or_deleted, exists, named, namespace_of
from kctl.apimachinery import objects
from kctl.apimachinery.resources import CONFIG_MAPS, NAMESPACES
from kctl.apimachinery.status import AlreadyExists, Forbidden, NotFound

_NAME = "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal "
    "service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)


class RootCaPublisher(LoopController):
    """`root_ca` is the PEM bundle."""

    name = "root-ca-certificate-publisher-controller"

    def __init__(self, context: ControllerContext, root_ca: str) -> None:
        super().__init__(context)
        self._client = context.client
        self._data = {"ca.crt": root_ca}
        self._annotations = {"kubernetes.io/description": _DESCRIPTION}
        self._namespaces = context.informers.informer(NAMESPACES)
        self._config_maps = context.informers.informer(CONFIG_MAPS)

    def wakes(self) -> Sequence[Source]:
        return (
            For(NAMESPACES, when=exists),
            Watches(CONFIG_MAPS, to=namespace_of, when=named(_NAME, changed_or_deleted)),
        )

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or objects.deletion_timestamp(namespace):
            return
        present = self._config_maps.get(f"{key}/{_NAME}")
        try:
            if present is None:
                meta = {"name": _NAME, "namespace": key, "annotations": self._annotations}
                wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": self._data}
                written = await self._client.create(CONFIG_MAPS, wanted, key)
            elif present.get("data") != self._data or not _includes(objects.annotations(present), self._annotations):
                annotations = {**objects.annotations(present), **self._annotations}
                wanted = objects.with_metadata(objects.replace(present, data=self._data), annotations=annotations)
                written = await self._client.update(CONFIG_MAPS, wanted)
            else:
                return
        except (AlreadyExists, NotFound):
            return
        except Forbidden as error:
            if not namespace_terminating(error):
                raise
            return
        self._config_maps.observe([written])


def _includes(present: object, wanted: dict[str, str]) -> bool:
    return isinstance(present, dict) and wanted.items() <= present.items()
