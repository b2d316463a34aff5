"""-v=6 and up: one line for each request on stderr, with headers from 7 and bodies from 8, in klog's format."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from time import perf_counter
from typing import TextIO

_BODY_LIMITS = {8: 1024, 9: 10240}


class RequestLog:
    def __init__(self, verbosity: int, out: TextIO) -> None:
        self._verbosity = verbosity
        self._out = out
        self._method = self._url = ""
        self._started = 0.0

    def _line(self, text: str) -> None:
        stamp = datetime.now().strftime("%m%d %H:%M:%S.%f")
        self._out.write(f"I{stamp} {os.getpid():7d} round_trippers.go:632] {text}\n")

    def request(self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes | None) -> None:
        self._method, self._url, self._started = method, url, perf_counter()
        if self._verbosity >= 7:
            shown = "\n".join(f"\t{name}: {self._masked(name, value)}" for name, value in headers if name != "Host")
            self._line(f'"Request" verb="{method}" url="{url}" headers=<\n{shown}\n >')
        if self._verbosity >= 8 and body:
            self._body("Request", body)

    def response(self, status: int, reason: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        milliseconds = int((perf_counter() - self._started) * 1000)
        words = f'verb="{self._method}" url="{self._url}" ' if self._verbosity == 6 else ""
        tail = ""
        if self._verbosity >= 8:
            lines = "\n".join(f"\t{name.decode().title()}: {value.decode()}" for name, value in headers)
            tail = f" headers=<\n{lines}\n >"
        self._line(f'"Response" {words}status="{status} {reason}"{tail} milliseconds={milliseconds}')

    def body(self, data: bytes) -> None:
        if self._verbosity >= 8:
            self._body("Response", data)

    def _body(self, what: str, data: bytes) -> None:
        text = data.decode(errors="replace")
        limit = _BODY_LIMITS.get(self._verbosity, len(text))
        if len(text) > limit:
            text = f"{text[:limit]} [truncated {len(text) - limit} chars]"
        self._line(f'"{what} Body" body=<\n\t{text}\n >')

    @staticmethod
    def _masked(name: str, value: str) -> str:
        return value if name.lower() != "authorization" else f"{value.split(' ', 1)[0]} <masked>"
