"""Types are compiled by whichever thread needs them first."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kctl.apimachinery.schema import bundle
from kctl.apimachinery.schema.compiler import Compiler, Decode

SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"


def test_who_comes_while_another_thread_compiles_gets_a_whole_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler, began, go_on = Compiler(bundle.types()), threading.Event(), threading.Event()
    compile_plainly = Compiler._compile

    def slowly(self: Compiler, name: str) -> Decode:
        if not began.is_set():
            began.set()
            go_on.wait(30)
        return compile_plainly(self, name)

    monkeypatch.setattr(Compiler, "_compile", slowly)
    slow = threading.Thread(target=compiler.struct, args=(SCHEMA,))
    slow.start()
    assert began.wait(30)
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}}
    assert compiler.struct(SCHEMA)(schema, []) == schema
    go_on.set()
    slow.join(30)
