"""kctl with a census: `python -m bench.census run-cluster ...` is kctl, and on SIGUSR2 writes how many objects of each type are alive
to the file $BENCH_CENSUS, as JSON. Only for measurements: the count stops everything for a moment.
"""

from __future__ import annotations

import gc
import json
import os
import signal
from collections import Counter
from pathlib import Path
from types import FrameType


def _name(found: object) -> str:
    kind = type(found)
    return f"{kind.__module__}.{kind.__qualname__}"


def _write(number: int, frame: FrameType | None) -> None:
    path = Path(os.environ["BENCH_CENSUS"])
    gc.unfreeze()  # what was frozen at the start is alive too; frozen again, cycles that are alive now would stay for ever
    gc.collect()
    counts = Counter(map(_name, gc.get_objects()))
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(counts))
    temporary.replace(path)


if __name__ == "__main__":
    from kctl.cli.main import main

    signal.signal(signal.SIGUSR2, _write)
    main()
