"""Types of expressions: whether the names are declared, the fields exist and the functions take what they get. Messages follow cel-go's
checker; all problems are told, in the order of the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kctl.kube_apiserver.cel import types
from kctl.kube_apiserver.cel.ast import Call, Ident, ListNode, Literal, Macro, MapNode, Node, ObjectNode, Select, dotted
from kctl.kube_apiserver.cel.declarations import NAMESPACES, Overload, functions
from kctl.kube_apiserver.cel.parser import located
from kctl.kube_apiserver.cel.types import BOOL, DYN, INT, Type, joined, shown, substituted, unify

MadeTypes = Callable[[str], Type | None]
"""The types that Name{...} makes a value of, by name; None for one that is not known."""
MOST_ERRORS = 100
MOST_TEXT = 256 * 1024
"""Characters of what is wrong with one expression. cel-go has no such limit: it repeats a line of 16 KB for each of a hundred names."""
MOST_PARTS = 250
"""Of a type. A map of maps has four, a few variables that stand for maps of each other have millions."""
_MOST_SHOWN = 16 * 1024
"""Characters of the types that a function is told not to take."""
_TYPES = frozenset({"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type", "dyn"})
_TYPE_OF = {"list": ("list", DYN), "map": ("map", DYN, DYN)}


class Checker:
    """One expression. `problems` fills with messages."""

    def __init__(self, text: str, variables: Mapping[str, Type], made: MadeTypes | None = None) -> None:
        self._text = text
        self._made = made
        self._scopes: list[Mapping[str, Type]] = [variables]
        self._found: list[tuple[int, str]] = []
        self._count = 0
        self.used: set[str] = set()
        """The variables that occur."""

    @property
    def problems(self) -> list[str]:
        """One message for each of the first hundred, as cel-go, fewer where they get long: each repeats its line. The rest is counted."""
        texts: list[str] = []
        length = 0
        for offset, message in sorted(self._found[:MOST_ERRORS], key=lambda each: each[0]):
            if length > MOST_TEXT:
                break
            texts.append(located(self._text, offset, message))
            length += len(texts[-1])
        more = self._count - len(texts)
        return [*texts, f"{more} more errors were truncated"] if more else texts

    def _say(self, offset: int, message: str) -> Type:
        self._count += 1
        if self._count <= MOST_ERRORS:
            self._found.append((offset, message))
        return DYN

    def _bounded(self, node: Node, kind: Type) -> Type:
        """The type, unless it has too many parts."""
        if isinstance(kind, str) or _parts(kind, MOST_PARTS) <= MOST_PARTS:
            return kind
        return self._say(node.offset, f"type has more than {MOST_PARTS} parts")

    def check(self, node: Node) -> Type:
        """The type of the expression; its nodes know theirs afterwards."""
        match node:
            case Literal():
                node.type = node.kind
            case Ident():
                node.type = self._ident(node)
            case Select():
                node.type = self._select(node)
            case ListNode():
                kinds = [self.check(element) for element in node.elements]
                kind = joined([_inside(kind) if index in node.optional else kind for index, kind in enumerate(kinds)])
                node.type = self._bounded(node, ("list", kind))
            case MapNode():
                keys = [self.check(key) for key, _, _ in node.entries]
                values = [_inside(self.check(value)) if optional else self.check(value) for _, value, optional in node.entries]
                node.type = self._bounded(node, ("map", joined(keys), joined(values)))
            case ObjectNode():
                node.type = self._object(node)
            case Macro():
                node.type = self._bounded(node, self._macro(node))
            case Call():
                node.type = self._bounded(node, self._call(node))
        return node.type

    def _variable(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def _ident(self, node: Ident) -> Type:
        found = self._variable(node.name)
        if found is not None:
            self.used.add(node.name)
            return found
        if node.name in _TYPES:
            return ("type", _TYPE_OF.get(node.name, node.name))
        return self._say(node.offset, f"undeclared reference to '{node.name}' (in container '')")

    def _select(self, node: Select) -> Type:
        if dotted(node) in (types.TIMESTAMP, types.DURATION):
            return ("type", dotted(node))
        operand = self.check(node.operand)
        wrapped = isinstance(operand, tuple) and operand[0] == "optional"
        field = self._field(node, operand[1] if wrapped else operand)
        if node.test:
            return BOOL
        return ("optional", field) if node.optional or wrapped else field

    def _field(self, node: Select, kind: Type) -> Type:
        if kind == DYN:
            return DYN
        if isinstance(kind, tuple) and kind[0] == "object":
            known = kind[2].get(node.field)
            if known is not None:
                return known
            return self._say(node.offset, f"undefined field '{node.field}'")
        if isinstance(kind, tuple) and kind[0] == "map":
            return kind[2]
        return self._say(node.offset, f"type '{shown(kind)}' does not support field selection")

    def _object(self, node: ObjectNode) -> Type:
        kind = self._made(node.name) if self._made is not None else None
        if kind is None:
            self._say(node.offset, f"undeclared reference to '{node.name}' (in container '')")
        for name, value, optional, colon in node.fields:
            given = _inside(self.check(value)) if optional else self.check(value)
            if kind is None:
                continue
            wanted = kind[2].get(name)
            if wanted is None:
                self._say(colon, f"undefined field '{name}'")
            elif not unify(wanted, given, {}):
                self._say(colon, f"expected type of field '{name}' is '{shown(wanted)}' but provided type is '{shown(given)}'")
        return DYN if kind is None else kind

    def _call(self, node: Call) -> Type:
        plain, methods = functions()
        if node.target is not None:
            namespace = dotted(node.target)
            if namespace in NAMESPACES and self._variable(namespace) is None and f"{namespace}.{node.function}" in plain:
                return self._resolve(node, plain[f"{namespace}.{node.function}"], [self.check(arg) for arg in node.args], False)
        args = [self.check(arg) for arg in ([node.target] if node.target is not None else []) + node.args]
        overloads = (methods if node.target is not None else plain).get(node.function)
        if overloads is None:
            return self._say(node.offset, f"undeclared reference to '{node.function}' (in container '')")
        return self._resolve(node, overloads, args, node.target is not None)

    def _resolve(self, node: Call, overloads: list[Overload], args: list[Type], is_method: bool) -> Type:
        results = []
        for overload in overloads:
            if len(overload.params) != len(args):
                continue
            bound: dict[str, Type] = {}
            if all(unify(wanted, given, bound) for wanted, given in zip(overload.params, args, strict=True)):
                results.append(substituted(overload.result, bound))
        if results:
            return joined(results)
        names = _shown(args)
        applied = f"{names[0]}.({', '.join(names[1:])})" if is_method else f"({', '.join(names)})"
        return self._say(node.offset, f"found no matching overload for '{node.function}' applied to '{applied}'")

    def _macro(self, node: Macro) -> Type:
        operand = self.check(node.operand)
        if node.kind == "bind":
            return self._within({node.variables[0]: operand}, node.parts[0])
        if node.kind in ("optMap", "optFlatMap"):
            if operand != DYN and not (isinstance(operand, tuple) and operand[0] == "optional"):
                return self._say(node.offset, f"found no matching overload for '{node.kind}' applied to '{shown(operand)}.()'")
            made = self._within({node.variables[0]: _inside(operand)}, node.parts[0])
            return ("optional", made) if node.kind == "optMap" else made
        first, second = _elements(operand)
        if first is None:
            why = f"expression of type '{shown(operand)}' cannot be range of a comprehension (must be list, map, or dynamic)"
            return self._say(node.operand.offset, why)
        scope = {node.variables[0]: first}
        if len(node.variables) == 2:
            scope = {node.variables[0]: first if isinstance(operand, tuple) and operand[0] == "map" else INT, node.variables[1]: second}
        kinds = [self._within(scope, part) for part in node.parts]
        return self._comprehension(node, operand, first, kinds)

    def _comprehension(self, node: Macro, operand: Type, element: Type, kinds: list[Type]) -> Type:
        tests = kinds if node.kind in ("all", "exists", "exists_one", "filter") else kinds[:-1]
        operator = {"all": "_&&_", "exists": "_||_"}.get(node.kind, "_?_:_")
        for part, kind in zip(node.parts, tests, strict=False):
            if kind not in (BOOL, DYN):
                self._say(part.offset, f"found no matching overload for '{operator}' applied to '(bool, {shown(kind)})'")
        match node.kind:
            case "all" | "exists" | "exists_one":
                return BOOL
            case "filter":
                return ("list", element)
            case "transformMap":
                return ("map", element, kinds[-1])
        return ("list", kinds[-1])

    def _within(self, scope: Mapping[str, Type], node: Node) -> Type:
        self._scopes.append(scope)
        kind = self.check(node)
        self._scopes.pop()
        return kind


def _parts(kind: Type, most: int) -> int:
    """How many names a type is made of; counting ends where there are more than `most`."""
    count, waiting = 0, [kind]
    while waiting and count <= most:
        part = waiting.pop()
        count += 1
        if isinstance(part, tuple) and part[0] != "object":
            waiting += part[1:]
    return count


def _shown(args: list[Type]) -> list[str]:
    names: list[str] = []
    length = 0
    for arg in args:
        if length > _MOST_SHOWN:
            return [*names, "..."]
        names.append(shown(arg))
        length += len(names[-1])
    return names


def _inside(kind: Type) -> Type:
    return kind[1] if isinstance(kind, tuple) and kind[0] == "optional" else DYN


def _elements(kind: Type) -> tuple[Type | None, Type]:
    """What one variable is bound to, and what the second of two is."""
    if kind == DYN:
        return DYN, DYN
    if isinstance(kind, tuple) and kind[0] == "list":
        return kind[1], kind[1]
    if isinstance(kind, tuple) and kind[0] == "map":
        return kind[1], kind[2]
    return None, DYN
