"""No flag is accepted and ignored: every flag of every command is read somewhere (to do something, or to refuse it by name)."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import kctl.cli
from kctl.cli.command import Command, Group
from kctl.cli.lazy import load
from kctl.cli.main import Root
from kctl.cli.options import GLOBAL_FLAGS, GLOBAL_FLAGS_WITHOUT_EFFECT, ObjectOutput

CLI = Path(kctl.cli.__file__).parent


def commands(group: type[Group], path: str) -> Iterator[tuple[str, type[Command]]]:
    yield path, group
    for name, entry in group.members.items():
        found = load(entry)
        if isinstance(found, type) and issubclass(found, Group):
            yield from commands(found, f"{path} {name}")
        elif isinstance(found, type) and issubclass(found, Command):
            yield f"{path} {name}", found


COMMANDS = dict(commands(Root, "kctl"))


@functools.cache
def tree(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text())


def read_in_class(cls: type) -> set[str]:
    """What the class's own methods read of self."""
    module = tree(str(inspect.getsourcefile(cls)))
    body = next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__)
    found = {node.attr for node in ast.walk(body) if _reads(node, {"self"})}
    if any(ast.unparse(node).startswith("Results.of(self") for node in ast.walk(body) if isinstance(node, ast.Call)):
        found |= {name for name in vars(ObjectOutput) if not name.startswith("_")}
    if "getattr(self, name) for name in self.flags" in ast.unparse(body):  # all of them as a dict called given
        found |= {node.value for node in ast.walk(module) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return found


def _reads(node: ast.AST, names: set[str]) -> bool:
    return (
        isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and isinstance(node.value, ast.Name) and node.value.id in names
    )


@functools.cache
def read_by_functions() -> dict[str, set[str]]:
    """What functions read of a parameter that is one of the command classes, by the class's name."""
    found: dict[str, set[str]] = {}
    for file in sorted(CLI.rglob("*.py")):
        for function in ast.walk(tree(str(file))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for argument in function.args.args:
                if isinstance(argument.annotation, ast.Name):
                    reads = {node.attr for node in ast.walk(function) if _reads(node, {argument.arg})}
                    found.setdefault(argument.annotation.id, set()).update(reads)
    return found


@pytest.mark.parametrize("path", COMMANDS)
def test_every_flag_is_read(path: str) -> None:
    command = COMMANDS[path]
    read: set[str] = set()
    for cls in command.__mro__:
        if cls.__module__.startswith("kctl.cli"):
            read |= read_in_class(cls) | read_by_functions().get(cls.__name__, set())
    ignored = {one.long for attribute, one in command.flags.items() if attribute not in read | command.without_effect}
    assert ignored == set()


def test_every_global_flag_is_read() -> None:
    words = {
        node.value
        for file in CLI.rglob("*.py")
        if file.name != "options.py"
        for node in ast.walk(tree(str(file)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert {one.long for one in GLOBAL_FLAGS if one.name not in words | GLOBAL_FLAGS_WITHOUT_EFFECT} == set()
