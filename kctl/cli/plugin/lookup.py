"""Which plugin a command line means, and running it in this process's place.

kctl's own plugins go before kubectl's of the same name; what kubectl's are written for, kctl answers too.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import Final

from kctl.cli.errors import Exit

PREFIXES: Final = ("kctl-", "kubectl-")


def dispatch(words: Sequence[str], least: int) -> None:
    """Run the plugin whose name takes most of the words that stand before the first flag, but `least` of them. Returns where
    there is none. Raises Exit where a flag stands before its name."""
    leading: list[str] = []
    for word in words:
        if word.startswith("-"):
            break
        leading.append(word.replace("-", "_"))
    if not leading:
        sys.stderr.write(f"Error: flags cannot be placed before plugin name: {words[0]}\n")
        raise Exit(1)
    while leading:
        path = lookup("-".join(leading))
        if path:
            sys.stdout.flush()
            os.execv(path, [path, *words[len(leading) :]])
        leading.pop()
        if len(leading) < least:
            return


def lookup(name: str) -> str:
    """The file to run; '' where there is none."""
    return next((path for prefix in PREFIXES if (path := shutil.which(prefix + name))), "")
