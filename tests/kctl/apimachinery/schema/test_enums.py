"""One table of allowed values for OpenAPI, explain and validation."""

from __future__ import annotations

import pytest

from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry.networking.ingress import IngressStrategy
from tests.kctl.kube_apiserver.registry.harness import Harness


def test_values_are_listed_in_the_order_of_messages() -> None:
    assert enums.of("StorageClass.volumeBindingMode") == ("Immediate", "WaitForFirstConsumer")
    assert enums.of("PersistentVolumeClaimSpec.accessModes")[0] == "ReadOnlyMany"
    with pytest.raises(KeyError):
        enums.of("PodSpec.hostname")


def test_validation_asks_for_the_listed_values() -> None:
    assert isinstance(Harness("networking.k8s.io/v1", "Ingress").strategy, IngressStrategy)
    path = {"path": "/", "pathType": "Nothing", "backend": {"service": {"name": "a", "port": {"number": 80}}}}
    obj = {"spec": {"rules": [{"http": {"paths": [path]}}]}}
    listed = ", ".join(f'"{value}"' for value in enums.of("HTTPIngressPath.pathType"))
    assert Harness("networking.k8s.io/v1", "Ingress").problems(obj) == [
        f'spec.rules[0].http.paths[0].pathType: Unsupported value: "Nothing": supported values: {listed}'
    ]
