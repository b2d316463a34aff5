"""How a simulated container behaves, as data: annotations `kctl.dev/...` on the pod over the stage files of a profile.

`kctl.dev/<setting>` is for every container of the pod, `kctl.dev/<container>.<setting>` for one. docs/simulated-pods.md has
the table; a test keeps it in step with SETTINGS.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from kctl.apimachinery import times

if TYPE_CHECKING:
    from controllers.kubelet.usage_course import Course

PREFIX = "kctl.dev/"
PROFILE = "kctl.dev/profile"

Seconds = tuple[float, float]
"""A duration drawn evenly from low to high."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Tuples with one entry per run: first start, first restart, ...; the last entry repeats."""

    image_pull: str = "ok"
    image_pull_duration: Seconds = (0.0, 0.0)
    start_delay: Seconds = (0.0, 0.0)
    run_duration: tuple[Seconds | None, ...] = (None,)
    exit_code: tuple[int, ...] = (0,)
    exit_message: str = ""
    oom_after: Seconds | None = None
    start_error: str = ""
    startup_delay: Seconds = (0.0, 0.0)
    readiness_delay: Seconds = (0.0, 0.0)
    readiness_fail_after: Seconds | None = None
    readiness_fail_duration: Seconds | None = None
    liveness_fail_after: Seconds | None = None
    stop_duration: Seconds = (1.0, 1.0)
    stop_exit_code: int = 0
    post_start_duration: Seconds = (0.0, 0.0)
    post_start_error: str = ""
    pre_stop_duration: Seconds = (0.0, 0.0)
    log_lines: int | None = 1
    log_interval: Seconds = (1.0, 1.0)
    cpu_usage: Course | None = None
    memory_usage: Course | None = None
    cpu_load: Course | None = None
    log_message: str = "simulated container {container} of pod {pod}, image {image}, line {n}"

    def run_seconds(self, attempt: int) -> Seconds | None:
        return self.run_duration[min(attempt, len(self.run_duration) - 1)]

    def exit_code_of(self, attempt: int) -> int:
        return self.exit_code[min(attempt, len(self.exit_code) - 1)]


DEFAULT = Behaviour()


class BehaviourError(ValueError):
    """An annotation or stage that cannot be read; the message names it."""


def draw(span: Seconds, randomness: random.Random) -> float:
    low, high = span
    return low if low == high else randomness.uniform(low, high)


def _duration(text: str) -> Seconds:
    low, dash, high = text.strip().partition("-")
    first = times.parse_duration(low.strip())
    return (first, times.parse_duration(high.strip())) if dash else (first, first)


def _run_durations(text: str) -> tuple[Seconds | None, ...]:
    return tuple(None if part.strip() in ("forever", "") else _duration(part) for part in text.split(","))


def _exit_codes(text: str) -> tuple[int, ...]:
    return tuple(_exit_code(part) for part in text.split(","))


def _exit_code(text: str) -> int:
    code = text.strip()
    if not (code.isascii() and code.isdigit() and len(code) <= 3 and int(code) <= 255):
        raise ValueError("an exit code is 0 to 255")
    return int(code)


def _pull(text: str) -> str:
    if text not in ("ok", "slow", "fail"):
        raise ValueError("want ok, slow or fail")
    return text


def _log_lines(text: str) -> int | None:
    if text == "unlimited":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError('want a number of lines or "unlimited"')
    return int(text)


def _course(text: str) -> Course:
    from controllers.kubelet.usage_course import parse_course

    return parse_course(text)


def _text(text: str) -> str:
    return text


SETTINGS: Mapping[str, Callable[[str], Any]] = {
    "image-pull": _pull,
    "image-pull-duration": _duration,
    "start-delay": _duration,
    "start-error": _text,
    "run-duration": _run_durations,
    "exit-code": _exit_codes,
    "exit-message": _text,
    "oom-after": _duration,
    "startup-delay": _duration,
    "readiness-delay": _duration,
    "readiness-fail-after": _duration,
    "readiness-fail-duration": _duration,
    "liveness-fail-after": _duration,
    "stop-duration": _duration,
    "stop-exit-code": _exit_code,
    "post-start-duration": _duration,
    "post-start-error": _text,
    "pre-stop-duration": _duration,
    "cpu-usage": _course,
    "memory-usage": _course,
    "cpu-load": _course,
    "log-lines": _log_lines,
    "log-interval": _duration,
    "log-message": _text,
}
assert {name.replace("-", "_") for name in SETTINGS} == {field.name for field in fields(Behaviour)}


def parse_setting(name: str, text: str) -> Any:
    """The value of one setting. Raises BehaviourError."""
    parser = SETTINGS.get(name)
    if parser is None:
        raise BehaviourError(f'unknown setting "{name}"')
    try:
        return parser(text)
    except ValueError as error:
        raise BehaviourError(f"{name}: {error}") from None


def with_settings(base: Behaviour, settings: Mapping[str, str]) -> Behaviour:
    """`base` with settings by their annotation names."""
    changes = {name.replace("-", "_"): parse_setting(name, str(text)) for name, text in settings.items()}
    return replace(base, **changes) if changes else base


def settings_of(annotations: Mapping[str, str], container: str) -> dict[str, str]:
    """The settings that annotations give to one container; those naming it win."""
    general: dict[str, str] = {}
    own: dict[str, str] = {}
    prefix = f"{container}."
    for key, value in annotations.items():
        if not key.startswith(PREFIX) or key == PROFILE:
            continue
        setting = key[len(PREFIX) :]
        if setting in SETTINGS:
            general[setting] = value
        elif setting.startswith(prefix):
            own[setting[len(prefix) :]] = value
    return general | own


def any_settings(annotations: Mapping[str, str]) -> bool:
    return any(key.startswith(PREFIX) for key in annotations)
