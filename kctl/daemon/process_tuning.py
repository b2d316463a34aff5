"""Settings of a process that has nothing to do but serve a cluster. `kctl run-cluster` makes them, nobody else: a program that embeds
a control plane has its own.
"""

from __future__ import annotations

import gc
import os
import sys

from kctl.daemon import open_files

_GC_THRESHOLDS = (50_000, 20, 50)
"""Objects are trees of dicts without cycles; collecting as often as Python's default costs a tenth of all CPU."""
_SWITCH_SECONDS = 0.0005
"""How long the store's writer thread waits for a busy event loop: Python's 5 ms would be the latency of every write."""


def tune() -> None:
    """Before anything is served."""
    os.umask(0o077)  # this process makes nothing but files of the cluster
    open_files.raise_limit()
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_SECONDS)


def freeze() -> None:
    """What is there once the cluster is ready stays for good; the garbage collector need not look at it again."""
    gc.collect()
    gc.freeze()
