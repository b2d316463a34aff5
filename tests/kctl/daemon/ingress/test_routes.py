"""Which backend a request to an Ingress goes to."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery.objects import Object
from kctl.daemon.ingress import routes
from kctl.daemon.ingress.routes import Backend, Routes


def ingress(name: str, *rules: tuple[str, str, str], default: str = "", age: str = "2026-01-01T00:00:00Z", **spec: Any) -> Object:
    """`rules`: host, path (with = before it an Exact one), Service."""
    made: dict[str, Any] = {"rules": [], **spec}
    for host, path, service in rules:
        exact = path.startswith("=")
        entry = {"path": path.lstrip("="), "pathType": "Exact" if exact else "Prefix", "backend": backend(service)}
        made["rules"].append({**({"host": host} if host else {}), "http": {"paths": [entry]}})
    if default:
        made["defaultBackend"] = backend(default)
    return {"metadata": {"name": name, "namespace": "default", "creationTimestamp": age}, "spec": made}


def backend(service: str) -> Object:
    return {"service": {"name": service, "port": {"number": 80}}}


ROUTES = Routes(
    [
        ingress("young", ("shop.test", "/cart", "late"), ("", "/", "any"), age="2026-02-01T00:00:00Z"),
        ingress(
            "old", ("shop.test", "/cart", "cart"), ("shop.test", "/cart/pay/", "pay"), ("shop.test", "=/cart/pay", "exact"), default="own"
        ),
        ingress("wild", ("*.shop.test", "/", "wild")),
        ingress("rest", default="rest"),
        ingress("bare", ("bare.test", "=/x", "x")),
    ]
)


@pytest.mark.parametrize(
    ("host", "path", "service"),
    [
        ("shop.test", "/cart", "cart"),
        ("SHOP.test:8080", "/cart/", "cart"),
        ("shop.test", "/cart/7", "cart"),
        ("shop.test", "/cart/pay", "exact"),
        ("shop.test", "/cart/pay/now", "pay"),
        ("shop.test", "/cart/payment", "cart"),
        ("shop.test", "/carts", "own"),
        ("shop.test", "/CART", "own"),
        ("a.shop.test", "/cart", "wild"),
        ("a.b.shop.test", "/", "any"),
        ("other.test", "/", "any"),
        ("[::1]:80", "/", "any"),
        ("", "/", "any"),
        ("bare.test", "/y", "rest"),
        ("bare.test", "/x", "x"),
    ],
)
def test_the_backend(host: str, path: str, service: str) -> None:
    assert ROUTES.find(host, path) == Backend("default", service, 80)


def test_nothing_fits() -> None:
    assert Routes([ingress("bare", ("bare.test", "=/x", "x"))]).find("bare.test", "/y") is None
    assert Routes([]).find("", "/") is None


def test_whose_it_is() -> None:
    classes: dict[str, Object] = {
        "mine": {"spec": {"controller": routes.CONTROLLER}},
        "nginx": {"spec": {"controller": "k8s.io/ingress-nginx"}},
    }
    found = {name: routes.is_ours(ingress("i", ingressClassName=name), classes.get) for name in ("mine", "nginx", "none")}
    assert found == {"mine": True, "nginx": False, "none": True} and routes.is_ours(ingress("i"), classes.get)
    annotated = ingress("i")
    annotated["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "nginx"}
    assert not routes.is_ours(annotated, classes.get)


def test_certificates() -> None:
    tls = [{"hosts": ["shop.test", "*.shop.test"], "secretName": "shop"}, {"secretName": "rest"}, {"hosts": ["none.test"]}]
    made = Routes([ingress("i", tls=tls)])
    wanted = {name: found.secret for name in ("shop.test", "a.Shop.test", "none.test", "") if (found := made.certificate(name))}
    assert wanted == {"shop.test": "shop", "a.Shop.test": "shop", "none.test": "rest", "": "rest"}


def test_endpoints() -> None:
    def one(address: str, **conditions: bool) -> Object:
        return {"addresses": [address], "conditions": conditions}

    ready, ending, gone = (
        one("10.0.0.1", ready=True),
        one("10.0.0.2", ready=False, serving=True, terminating=True),
        one("10.0.0.3", ready=False),
    )
    ports = [{"name": "web", "port": 8080}, {"name": "other", "port": 9}]
    port = routes.port_of({"spec": {"ports": [{"name": "web", "port": 80}]}}, "web")
    assert port is not None and port is not routes.port_of({"spec": {"ports": [{"name": "web", "port": 80}]}}, 81)
    assert routes.endpoints([{"ports": ports, "endpoints": [ready, ending, gone]}], port) == [("10.0.0.1", 8080)]
    assert routes.endpoints([{"ports": ports, "endpoints": [ending, gone]}], port) == [("10.0.0.2", 8080)]
