"""Many calls under way at once, and all their answers: what a burst of writes is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

_T = TypeVar("_T")


async def together(calls: Iterable[Coroutine[Any, Any, _T]]) -> list[_T | Exception]:
    """What each of `calls` returned or raised, in their order. Like `asyncio.gather(..., return_exceptions=True)`, without a callback
    for each of them: writes of one burst are answered together, so most have ended when the first one is looked at."""
    tasks = [asyncio.get_running_loop().create_task(call) for call in calls]
    answers: list[_T | Exception] = []
    try:
        for task in tasks:
            try:
                answers.append(await task)
            except Exception as error:
                answers.append(error)
    except BaseException:
        for task in tasks:
            task.cancel()
        raise
    return answers
