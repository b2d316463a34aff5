"""All functions there are, by how they are called: f(x), x.f() and namespace.f(x)."""

from __future__ import annotations

from kctl.kube_apiserver.cel import addresses, authorization, collections, quantities, standard, strings

_LIBRARIES = (standard, strings, collections, quantities, addresses, authorization)
GLOBAL = {name: function for library in _LIBRARIES for name, function in library.GLOBAL.items()}
METHODS = {name: function for library in _LIBRARIES for name, function in library.METHODS.items()}
QUALIFIED = {name: function for library in _LIBRARIES for name, function in library.QUALIFIED.items()}
