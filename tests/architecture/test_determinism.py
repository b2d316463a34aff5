"""House rules behind "same seed, same writes": time and randomness come in by constructor, and no order comes from a hash.

Edges are what deals with the world outside: people, sockets, files' ages. Each says why it may.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = sorted(path for folder in ("kctl", "store", "controllers") for path in (ROOT / folder).rglob("*.py"))

EDGES = {
    "kctl/apimachinery/clock.py": "the clocks themselves",
    "controllers/kubelet/process_runtime/log_file.py": "a process of its own",
    "controllers/kubelet/process_runtime/reaping.py": "other processes, with no kubelet there",
    "controllers/kubelet/process_runtime/shim.py": "a process of its own",
    "kctl/cli/": "a person waits in front of it",
    "kctl/client/": "sockets, and how old a file is",
    "kctl/daemon/component.py": "where there is no seed",
    "kctl/daemon/lock.py": "other processes",
    "kctl/daemon/supervisor.py": "how long the end of a component may take",
    "kctl/kube_apiserver/__main__.py": "starts a process",
    "kctl/kube_apiserver/acceptor.py": "sockets",
    "kctl/kube_apiserver/http.py": "sockets",
    "kctl/kube_apiserver/http_protocol.py": "sockets",
    "kctl/kube_apiserver/list_encoding.py": "how long our own work took",
    "kctl/kube_apiserver/memory.py": "the process's memory",
    "kctl/kube_apiserver/filters/request_log.py": "how long our own work took",
    "store/etcd_cluster/": "sockets: other machines, whose time nobody simulates",
}
MODULES = ("time", "random", "uuid")
HARMLESS = {"random.Random", "time.strftime", "time.struct_time", "uuid.UUID", "uuid.uuid5"}
FORBIDDEN = {
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "asyncio.wait_for", "asyncio.timeout_at"),
    *("os.urandom", "secrets.token_bytes", "secrets.token_hex", "secrets.token_urlsafe"),
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _inside() -> Iterator[tuple[str, ast.Module]]:
    for path in CODE:
        if not _name(path).startswith(tuple(EDGES)):
            yield _name(path), ast.parse(path.read_text())


def hidden_inputs(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where the code asks the machine for time or chance, or the event loop for a timer."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in (*MODULES, "asyncio"):
            yield node.lineno, f"from {node.module} import"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and (why := _hidden_input(node)):
            yield node.lineno, why


def _hidden_input(call: ast.Call) -> str:
    name = ast.unparse(call.func)
    module, _, function = name.partition(".")
    keywords = {entry.arg for entry in call.keywords}
    if name in FORBIDDEN or (module in MODULES and name not in HARMLESS):
        return name
    if name == "random.Random" and not call.args:
        return "random.Random without a seed"
    if name in ("asyncio.sleep", "asyncio.timeout") and ast.unparse(call.args[0]) not in ("0", "None"):
        return name
    if name == "asyncio.wait" and "timeout" in keywords:
        return "asyncio.wait(timeout=)"
    if function.endswith(("call_later", "call_at")) and "loop" in name:
        return name
    return ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("time.monotonic()", True),
        ("datetime.now(UTC)", True),
        ("await asyncio.sleep(1)", True),
        ("await asyncio.sleep(0)", False),
        ("await asyncio.wait([task], timeout=60)", True),
        ("await asyncio.wait([task])", False),
        ("asyncio.timeout(seconds)", True),
        ("self._loop.call_later(1, end)", True),
        ("asyncio.get_running_loop().call_later(1, end)", True),
        ("self._clock.call_later(1, end)", False),
        ("random.choice(names)", True),
        ("random.Random()", True),
        ("random.Random(seed)", False),
        ("uuid.uuid4()", True),
        ("from time import monotonic", True),
    ],
)
def test_the_rule_sees(text: str, found: bool) -> None:
    assert bool(list(hidden_inputs(ast.parse(text)))) is found


def test_time_and_randomness_are_handed_in() -> None:
    assert not [f"{name}:{line} {why}" for name, tree in _inside() for line, why in hidden_inputs(tree)]


def test_every_edge_is_one() -> None:
    needless = set(EDGES)
    for path in CODE:
        edge = next((edge for edge in EDGES if _name(path).startswith(edge)), None)
        if edge in needless and any(hidden_inputs(ast.parse(path.read_text()))):
            needless.discard(edge)
    assert not needless


# ---- sets


def iterated_sets(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where the order of a set shows: loops over one, and what keeps an order made from one, unless sorted. Sets of numbers always come
    in the same order."""
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            nodes = list(ast.walk(scope))
            sets = _sets_of(nodes, attributes_only=isinstance(scope, ast.ClassDef))
            for node in nodes:
                yield from ((used.lineno, ast.unparse(used)) for used in _ordered_uses(node) if _is_set(used, sets))


def _sets_of(nodes: Sequence[ast.AST], *, attributes_only: bool) -> set[str]:
    """What is a set in a function; in a class those among its attributes."""
    found = set()
    for node in nodes:
        targets: list[ast.expr] = []
        if isinstance(node, ast.AnnAssign) and _is_set_type(node.annotation):
            targets = [node.target]
        elif isinstance(node, ast.Assign) and _makes_set(node.value):
            targets = node.targets
        elif isinstance(node, ast.arg) and node.annotation is not None and _is_set_type(node.annotation) and not attributes_only:
            found.add(node.arg)
        found |= {ast.unparse(target) for target in targets if isinstance(target, ast.Attribute) or not attributes_only}
    return found


def _is_set_type(annotation: ast.expr) -> bool:
    text = ast.unparse(annotation)
    return text.startswith(("set[", "frozenset[")) and text not in ("set[int]", "frozenset[int]")


def _makes_set(value: ast.expr) -> bool:
    return isinstance(value, ast.Set | ast.SetComp) or (isinstance(value, ast.Call) and ast.unparse(value.func) in ("set", "frozenset"))


def _is_set(used: ast.expr, sets: set[str]) -> bool:
    if isinstance(used, ast.BinOp) and isinstance(used.op, ast.BitOr | ast.BitAnd | ast.Sub):
        return _is_set(used.left, sets)
    return _makes_set(used) or (isinstance(used, ast.Name | ast.Attribute) and ast.unparse(used) in sets)


def _ordered_uses(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.For | ast.AsyncFor):
        yield node.iter
    elif isinstance(node, ast.ListComp | ast.DictComp):
        yield from (generator.iter for generator in node.generators)
    elif isinstance(node, ast.Starred):
        yield node.value
    elif isinstance(node, ast.Call) and node.args:
        function = ast.unparse(node.func)
        if function in ("list", "tuple", "next", "iter", "enumerate", "dict.fromkeys") or function.endswith((".join", ".extend")):
            yield node.args[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("for name in names: wake(name)", True),
        ("for name in sorted(names): wake(name)", False),
        ("return list(names | {'a'})", True),
        ("', '.join(names)", True),
        ("asyncio.gather(*names)", True),
        ("return 'a' in names", False),
        ("for one in {key(entry) for entry in entries}: wake(one)", True),
    ],
)
def test_the_rule_sees_sets(text: str, found: bool) -> None:
    tree = ast.parse(f"def f(names: set[str], entries):\n    {text}")
    assert bool(list(iterated_sets(tree))) is found


def test_no_order_comes_from_a_hash() -> None:
    inside = ((name, tree) for name, tree in _inside() if name.startswith(("controllers/", "kctl/kube_apiserver/", "kctl/daemon/")))
    assert not sorted({f"{name}:{line} {used}" for name, tree in inside for line, used in iterated_sets(tree)})
