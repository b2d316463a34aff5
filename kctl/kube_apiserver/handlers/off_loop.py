"""Work on large bodies beside the event loop: everybody else goes on while a body of megabytes is parsed. Where time is simulated it takes
none, and happens at once.

A thread takes the interpreter for 5 ms at most before others have their turn, so a long computation there is slow, not a standstill. Only
pure functions of a request may run so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from kctl.kube_apiserver.request import ResourceRequest

P = ParamSpec("P")
T = TypeVar("T")


async def run(request: ResourceRequest, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The function's result; beside the loop where the request's body is large."""
    if not request.sent_much():
        return function(*args, **kwargs)
    return await request.endpoint.clock.beside(partial(function, *args, **kwargs))
