"""Settings of a process that has nothing to do but serve a cluster. `kctl run-cluster` makes them, nobody else: a program that embeds
a control plane has its own.
"""

from __future__ import annotations

import contextlib
import gc
import os
import ssl
import sys
from collections.abc import Iterator

from kctl.apimachinery.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from kctl.daemon import open_files
from kctl.kube_apiserver.admission import chain as admission_chain
from kctl.kube_apiserver.registry import strategies

_SWITCH_SECONDS = 0.0005
"""How long the store's writer thread waits for a busy event loop: Python's 5 ms would be the latency of every write."""


def tune() -> None:
    """Before anything is served."""
    os.umask(0o077)  # this process makes nothing but files of the cluster
    open_files.raise_limit()
    gc.disable()  # requests leave no cycles; for those of closed connections and ended pods the API server's MemoryReturn makes rounds
    sys.setswitchinterval(_SWITCH_SECONDS)


def load_http_server() -> None:
    """aiohttp, ahead of the port that needs it. Its client comes with it and reads the machine's certificate authorities, twice: a fifth of
    a cluster's start, for connections that are never made."""
    with _without_certificate_authorities():
        import aiohttp  # noqa: F401


@contextlib.contextmanager
def _without_certificate_authorities() -> Iterator[None]:
    """OpenSSL's default ones, for as long as nothing else of this process asks for them."""
    name = ssl.get_default_verify_paths().openssl_cafile_env
    before = os.environ.get(name)
    os.environ[name] = os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def load_what_comes_first() -> None:
    """Beside the event loop, once the cluster is ready: what else the first workload would wait for."""
    for resource in (DEPLOYMENTS, REPLICA_SETS, PODS):
        strategies.strategy_for(resource)
    admission_chain.import_plugins(PODS)
    import kctl.kube_apiserver.subresources.binding  # noqa: F401


def freeze() -> None:
    """What is there once the cluster is ready stays for good; the garbage collector need not look at it again, nor now: a start leaves
    two thousand objects of garbage among a hundred thousand that live, and looking for them takes longer than all controllers' start."""
    gc.freeze()
