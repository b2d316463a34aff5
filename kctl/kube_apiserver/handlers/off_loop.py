"""Work on large bodies beside the event loop, in a thread: everybody else goes on while a body of megabytes is parsed.

A thread takes the interpreter for 5 ms at most before others have their turn, so a long computation there is slow, not a standstill. Only
pure functions of a request may run so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from kctl.kube_apiserver.request import ResourceRequest

P = ParamSpec("P")
T = TypeVar("T")


async def run(request: ResourceRequest, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The function's result, in a thread where the request's body is large."""
    if not request.sent_much():
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
