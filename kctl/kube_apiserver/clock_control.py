"""/kctl.dev/clock: the time of a cluster, and steering it. Authorized as a path that is no resource (verbs get and put).

GET answers the present state. PUT takes one of `{"paused": true|false}`, `{"speed": 60}` and `{"step": "1h30m"}` (a Go duration) and
answers the state that comes of it. A step is answered with a line of JSON at its beginning, about one a second, and one at its end, the
only one without `step`; it ends where the client leaves. What is wrong is answered with a Status: 400 for what is not understood or out of
bounds, 409 while a step is under way.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import orjson

from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.status import BadRequest, Conflict, NotFound
from kctl.apimachinery.steerable_clock import SteerableClock, Steering
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.request_info import not_allowed
from kctl.kube_apiserver.response import ObjectAnswer, Response, TextAnswer

PATH = "/kctl.dev/clock"
_PROGRESS_SECONDS = 1.0
_LONGEST_BODY = 1024


async def answer(clock: Clock, request: Request) -> Response:
    """Raises ApiError."""
    if not isinstance(clock, SteerableClock):
        raise NotFound("the time of this cluster cannot be steered")
    if request.method in ("GET", "HEAD"):
        return ObjectAnswer(state(clock))
    if request.method not in ("PUT", "POST"):
        raise not_allowed()
    try:
        seconds = _steer(clock, _asked(request.wire.raw_body if request.wire is not None else b""))
    except Steering as error:
        raise Conflict(str(error)) from None
    return ObjectAnswer(state(clock)) if seconds is None else TextAnswer(_step(clock, seconds), "application/json")


def state(clock: SteerableClock) -> dict[str, Any]:
    """`step` only while one is under way: what is left of it."""
    shown: dict[str, Any] = {"kind": "Clock", "apiVersion": "kctl.dev/v1", "time": times.rfc3339_micro(clock.now())}
    shown |= {"speed": clock.speed, "paused": clock.paused}
    left = clock.left_of_step
    return shown if left is None else {**shown, "step": times.go_duration(math.ceil(left))}


def _asked(body: bytes) -> tuple[str, Any]:
    """The one thing that is asked for. Raises BadRequest."""
    try:
        parsed = orjson.loads(body) if len(body) <= _LONGEST_BODY else None
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict) or len(parsed.keys() & _KINDS.keys()) != 1 or parsed.keys() - _KINDS.keys() - {"kind", "apiVersion"}:
        raise BadRequest(f"the body must be a JSON object with one of {', '.join(_KINDS)}")
    name = next(name for name in _KINDS if name in parsed)
    value = parsed[name]
    if isinstance(value, bool) != (name == "paused") or not isinstance(value, _KINDS[name]):
        raise BadRequest(f"{name}: Invalid value: {orjson.dumps(value).decode():.80}: must be {_WORDS[name]}")
    return name, value


_KINDS: dict[str, type | tuple[type, ...]] = {"paused": bool, "speed": (int, float), "step": str}
_WORDS = {"paused": "true or false", "speed": "a number", "step": "a duration, as 1h30m"}


def _steer(clock: SteerableClock, asked: tuple[str, Any]) -> float | None:
    """The seconds to be stepped, where that is asked for. Raises Steering, BadRequest."""
    name, value = asked
    try:
        if name == "speed":
            clock.set_speed(float(value))
        elif name == "step":
            seconds = times.parse_duration(value)
            clock.check_step(seconds)
            return seconds
        elif value:
            clock.pause()
        else:
            clock.resume()
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{name}: Invalid value: {orjson.dumps(value).decode():.80}: {error}") from None
    return None


async def _step(clock: SteerableClock, seconds: float) -> AsyncIterator[bytes]:
    """Its lines. Who was faster since this was asked for goes first; the only line is a Status then."""
    step = asyncio.ensure_future(clock.step(seconds))
    try:
        await asyncio.sleep(0)  # it begins
        while not step.done():
            yield orjson.dumps(state(clock)) + b"\n"
            tick = asyncio.get_running_loop().create_future()
            timer = clock.machine.call_later(_PROGRESS_SECONDS, partial(tick.set_result, None))
            try:
                await asyncio.wait((step, tick), return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
        try:
            step.result()
        except Steering as error:
            yield orjson.dumps(Conflict(str(error)).status) + b"\n"
        else:
            yield orjson.dumps(state(clock)) + b"\n"
    finally:
        step.cancel()
