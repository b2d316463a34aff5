"""The termination message of a container: its termination log, or the end of its output where it failed and its policy says so. Pure.

Sizes are the kubelet's: 4 KiB of the file, 80 lines and 2 KiB of the output, 12 KiB for the containers of a pod together.
"""

from __future__ import annotations

from controllers.kubelet.commands.outcome import TERMINATION_LOG, Outcome
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

_FILE_BYTES, _LOG_BYTES, _POD_BYTES, _LOG_LINES = 4096, 2048, 12 * 1024, 80


def termination_message(pod: Object, container: Object, outcome: Outcome) -> str:
    text = _end(outcome.file(path_of(container)), _FILE_BYTES)
    if not text and outcome.exit_code and container.get("terminationMessagePolicy") == "FallbackToLogsOnError":
        text = _end("".join(outcome.text.splitlines(keepends=True)[-_LOG_LINES:]), _LOG_BYTES)
    spec = objects.spec(pod)
    containers = len(spec.get("containers") or ()) + len(spec.get("initContainers") or ())
    return text.encode(errors="replace")[: _POD_BYTES // max(containers, 1)].decode(errors="ignore")


def path_of(container: Object) -> str:
    return str(container.get("terminationMessagePath") or TERMINATION_LOG)


def _end(text: str, size: int) -> str:
    return text.encode(errors="replace")[-size:].decode(errors="ignore")
