"""No module needs itself: there are no circles of imports, counting those inside functions, those under TYPE_CHECKING, and modules named
in a string to be imported later (import_module, tables of commands), which hide a circle but do not undo it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
Graph = dict[str, set[str]]


def import_graph() -> Graph:
    """Our modules, and which of them each names."""
    files = {_module(path): path for folder in ("kctl", "store", "controllers") for path in (ROOT / folder).rglob("*.py")}
    return {name: set(_imports(name, path, files)) - {name} for name, path in files.items()}


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imports(name: str, path: Path, files: dict[str, Path]) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    yield from _named_in_tables(name, tree, files)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{name} has a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield from ((inner,) if inner in files else (node.module,) if node.module in files else ())
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            yield from ((node.value,) if node.value in files else ())


def _named_in_tables(name: str, tree: ast.Module, files: dict[str, Path]) -> Iterator[str]:
    """What `import_module(f"some.package.{module}")` may import: the modules of that package that a string of the same file names."""
    words = {node.value.partition(":")[0] for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    known = {"__name__": name, "_PACKAGE": name.rpartition(".")[0]}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            known |= {ast.unparse(target): node.value.value for target in node.targets}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "import_module" and isinstance(call.args[0], ast.JoinedStr):
            parts = [_text(part, known) for part in call.args[0].values]
            if parts.count(None) == 1:
                wholes = {"".join(word if part is None else part for part in parts) for word in words}
                yield from wholes & files.keys()


def _text(part: ast.expr, known: dict[str, str]) -> str | None:
    """None for what is only known when it runs."""
    if isinstance(part, ast.FormattedValue):
        return known.get(ast.unparse(part.value))
    assert isinstance(part, ast.Constant)
    return str(part.value)


def circles(graph: Graph) -> list[set[str]]:
    """Groups of modules each of which needs all others of its group (strongly connected components, Tarjan's way)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            position = stack.index(name)
            group, stack[position:] = set(stack[position:]), []
            if len(group) > 1:
                found.append(group)

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def test_circles_are_found() -> None:
    graph: Graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": set(), "f": {"g"}, "g": {"f", "a"}}
    assert sorted(map(sorted, circles(graph))) == [["a", "b", "c"], ["f", "g"]]


def test_lazy_imports_and_those_for_types_count() -> None:
    graph = import_graph()
    assert "controllers.kubelet.fleet" in graph["kctl.daemon.components"]
    assert "store.etcd" in graph["kctl.daemon.component"]
    assert "kctl.cli.apply.set_last_applied" in graph["kctl.cli.apply.command"]
    assert "kctl.kube_apiserver.columns.pods" in graph["kctl.kube_apiserver.columns.kinds"]
    assert "kctl.kube_apiserver.admission.priority" in graph["kctl.kube_apiserver.admission.chain"]
    assert "controllers.kube_controller_manager.ttl" not in graph["controllers.kube_controller_manager.on_demand"]


def test_no_module_needs_itself() -> None:
    assert not [sorted(group) for group in circles(import_graph())]
