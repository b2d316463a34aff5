"""From syntax tree to closures that evaluate it, counting what it costs as cel-go's runtime does: one for each access and call, more for
what goes through long texts and lists. `&&`, `||` and the macros let an error pass where another operand decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kctl.kube_apiserver.cel import library
from kctl.kube_apiserver.cel.ast import Call, Ident, ListNode, Literal, Macro, MapNode, Node, ObjectNode, Select, dotted
from kctl.kube_apiserver.cel.function import Function
from kctl.kube_apiserver.cel.standard import text_of
from kctl.kube_apiserver.cel.values import (
    NONE,
    CelError,
    CostExceeded,
    ListValue,
    MadeObject,
    MapValue,
    Optional,
    TypeValue,
    Uint,
    equal,
    is_number,
    no_such_overload,
    size_of,
    type_name,
)

_LIST_COST, _MAP_COST, _OBJECT_COST = 10, 30, 40
_TYPES = frozenset(
    {
        *("int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"),
        *("google.protobuf.Timestamp", "google.protobuf.Duration"),
    }
)


class Run:
    """One evaluation: variables, and what it has cost."""

    __slots__ = ("cost", "limit", "variables")

    def __init__(self, variables: Mapping[str, Any], limit: int) -> None:
        self.variables = dict(variables)
        self.cost = 0
        self.limit = limit

    def spend(self, cost: int) -> None:
        """Raises CostExceeded."""
        self.cost += cost
        if self.cost > self.limit:
            raise CostExceeded


Eval = Callable[[Run], Any]


def compiled(node: Node) -> Eval:
    """The closure of a checked tree; it raises CelError."""
    match node:
        case Literal():
            value = Uint(node.value) if node.kind == "uint" else node.value
            return lambda run: value
        case Ident():
            return _ident(node.name)
        case Select():
            return _select(node)
        case ListNode():
            return _list(node)
        case MapNode():
            return _map(node)
        case ObjectNode():
            return _object(node)
        case Macro():
            return _macro(node)
        case Call():
            return _call(node)
    raise AssertionError(node)


def _ident(name: str) -> Eval:
    def read(run: Run) -> Any:
        run.spend(1)
        try:
            return run.variables[name]
        except KeyError:
            if name in _TYPES:
                return TypeValue(name)
            raise CelError(f"no such attribute(s): {name}") from None

    return read


def _select(node: Select) -> Eval:
    operand, field, test, optional = compiled(node.operand), node.field, node.test, node.optional
    if (name := dotted(node)) in _TYPES:
        return lambda run: TypeValue(name)

    def read(run: Run) -> Any:
        value = operand(run)
        run.spend(1)
        wrapped = isinstance(value, Optional)
        if wrapped:
            if not value.present:
                return False if test else NONE
            value = value.value
        if not isinstance(value, MapValue):
            raise no_such_overload()
        if test:
            return field in value.entries
        if optional or wrapped:
            return Optional(value[field]) if field in value.entries else NONE
        try:
            return value[field]
        except KeyError:
            if value.otherwise is not None:
                return value.otherwise
            raise CelError(f"no such key: {field}") from None

    return read


def _list(node: ListNode) -> Eval:
    elements = [(compiled(element), index in node.optional) for index, element in enumerate(node.elements)]

    def make(run: Run) -> ListValue:
        run.spend(_LIST_COST)
        made = []
        for element, optional in elements:
            value = element(run)
            if not optional:
                made.append(value)
            elif value.present:
                made.append(value.value)
        return ListValue(made)

    return make


def _map(node: MapNode) -> Eval:
    entries = [(compiled(key), compiled(value), optional) for key, value, optional in node.entries]

    def make(run: Run) -> MapValue:
        run.spend(_MAP_COST)
        made: dict[Any, Any] = {}
        for key, value, optional in entries:
            name, item = key(run), value(run)
            if not isinstance(name, str | int | bool):
                raise CelError(f"unsupported key type: {type_name(name)}")
            if name in made:
                raise CelError(f"duplicate key: {name}")
            if not optional:
                made[name] = item
            elif item.present:
                made[name] = item.value
        return MapValue(made)

    return make


def _object(node: ObjectNode) -> Eval:
    fields = [(name, compiled(value), optional) for name, value, optional, _ in node.fields]

    def make(run: Run) -> MadeObject:
        run.spend(_OBJECT_COST)
        made: dict[Any, Any] = {}
        for name, evaluate, optional in fields:
            value = evaluate(run)
            if not optional:
                made[name] = value
            elif value.present:
                made[name] = value.value
        return MadeObject(node.name, made)

    return make


def _call(node: Call) -> Eval:
    args = node.args if node.target is None else [node.target, *node.args]
    match node.function:
        case "_&&_":
            return _logical(args, False)
        case "_||_":
            return _logical(args, True)
        case "_?_:_":
            return _conditional(compiled(args[0]), compiled(args[1]), compiled(args[2]))
        case "_==_":
            return _equality(compiled(args[0]), compiled(args[1]), True)
        case "_!=_":
            return _equality(compiled(args[0]), compiled(args[1]), False)
        case "_[_]" | "_[?_]":
            return _index(compiled(args[0]), compiled(args[1]), node.function == "_[?_]")
        case "@in":
            return _membership(compiled(args[0]), compiled(args[1]))
        case "orValue" | "or":
            return _or_value(compiled(args[0]), compiled(args[1]), node.function == "orValue")
    name = node.function
    if node.target is not None and (namespace := dotted(node.target)) and f"{namespace}.{name}" in library.QUALIFIED:
        return _function(library.QUALIFIED[f"{namespace}.{name}"], [compiled(arg) for arg in node.args])
    table = library.METHODS if node.target is not None else library.GLOBAL
    function = table.get(name)
    if function is None:
        raise CelError(f"unbound function: {name}()")
    return _function(function, [compiled(arg) for arg in args])


def _function(function: Function, args: Sequence[Eval]) -> Eval:
    call, cost = function.call, function.cost
    if len(args) == 1:
        only = args[0]

        def call_one(run: Run) -> Any:
            value = only(run)
            run.spend(1 if cost is None else cost(value))
            return call(value)

        return call_one

    def call_all(run: Run) -> Any:
        values = [arg(run) for arg in args]
        run.spend(1 if cost is None else cost(*values))
        return call(*values)

    return call_all


def _logical(args: Sequence[Node], decisive: bool) -> Eval:
    left, right = map(compiled, args)

    def decide(run: Run) -> Any:
        failed: CelError | None = None
        for operand in (left, right):
            try:
                value = operand(run)
            except CostExceeded:
                raise
            except CelError as error:
                failed = error
                continue
            if value is decisive:
                return decisive
            if not isinstance(value, bool):
                failed = no_such_overload()
        if failed is not None:
            raise failed
        return not decisive

    return decide


def _conditional(condition: Eval, first: Eval, second: Eval) -> Eval:
    def choose(run: Run) -> Any:
        value = condition(run)
        if not isinstance(value, bool):
            raise no_such_overload()
        return first(run) if value else second(run)

    return choose


def _equality(left: Eval, right: Eval, wanted: bool) -> Eval:
    def compare(run: Run) -> bool:
        one, other = left(run), right(run)
        run.spend(max(1, min(size_of(one), size_of(other)) // 10))
        return equal(one, other) is wanted

    return compare


def _index(operand: Eval, index: Eval, optional: bool) -> Eval:
    def read(run: Run) -> Any:
        value, at = operand(run), index(run)
        run.spend(1)
        chained = isinstance(value, Optional)
        if chained:
            if not value.present:
                return NONE
            value = value.value
        lenient = optional or chained
        try:
            found = _at(value, at)
        except CelError:
            if lenient and isinstance(value, ListValue | MapValue):
                return NONE
            raise
        return Optional(found) if lenient else found

    return read


def _at(value: Any, index: Any) -> Any:
    if isinstance(value, ListValue):
        if not is_number(index) or (isinstance(index, float) and not index.is_integer()):
            raise CelError(f"unsupported index type '{type_name(index)}' in list")
        if not 0 <= index < len(value):
            raise CelError(f"index out of bounds: {int(index)}")
        return value[int(index)]
    if isinstance(value, MapValue):
        if isinstance(index, str | int | float | bool) and index in value.entries and _same_kind(index, value.entries):
            return value[index]
        if value.otherwise is not None and isinstance(index, str):
            return value.otherwise
        raise CelError(f"no such key: {text_of(index)}")
    raise no_such_overload()


def _same_kind(key: Any, entries: Mapping[Any, Any]) -> bool:
    """Python takes true for 1."""
    return not isinstance(key, bool) or any(other is key for other in entries)


def _membership(item: Eval, container: Eval) -> Eval:
    def check(run: Run) -> bool:
        value, where = item(run), container(run)
        if isinstance(where, ListValue):
            run.spend(max(1, len(where)))
            return any(equal(value, each) for each in where)
        run.spend(1)
        if isinstance(where, MapValue):
            return bool(isinstance(value, str | int | float | bool) and value in where.entries and _same_kind(value, where.entries))
        raise no_such_overload()

    return check


def _or_value(operand: Eval, other: Eval, unwraps: bool) -> Eval:
    def choose(run: Run) -> Any:
        value = operand(run)
        run.spend(1)
        if not isinstance(value, Optional):
            raise no_such_overload()
        if value.present:
            return value.value if unwraps else value
        return other(run)

    return choose


def _macro(node: Macro) -> Eval:
    operand, parts, names = compiled(node.operand), [compiled(part) for part in node.parts], node.variables
    match node.kind:
        case "bind":
            return lambda run: _within(run, names[0], operand(run), parts[0])
        case "optMap" | "optFlatMap":
            return _optional_map(operand, names[0], parts[0], node.kind == "optMap")
        case "all":
            return _quantifier(operand, names, parts[0], False)
        case "exists":
            return _quantifier(operand, names, parts[0], True)
        case "exists_one":
            return _exactly_one(operand, names, parts[0])
        case "filter":
            return _filter(operand, names, parts[0])
        case "transformMap":
            return _transform_map(operand, names, parts)
    return _transform(operand, names, parts)


def _within(run: Run, name: str, value: Any, part: Eval) -> Any:
    variables = run.variables
    run.variables = {**variables, name: value}
    try:
        return part(run)
    finally:
        run.variables = variables


def _optional_map(operand: Eval, name: str, part: Eval, wraps: bool) -> Eval:
    def apply(run: Run) -> Any:
        value = operand(run)
        run.spend(1)
        if not isinstance(value, Optional):
            raise no_such_overload()
        if not value.present:
            return NONE
        made = _within(run, name, value.value, part)
        return Optional(made) if wraps else made

    return apply


def _steps(run: Run, value: Any, names: tuple[str, ...]) -> Iterator[Any]:
    """Bind the variables to each element in turn, and give what is iterated over: items of a list, keys of a map."""
    if not isinstance(value, ListValue | MapValue):
        raise no_such_overload()
    outer = run.variables
    scope = dict(outer)
    run.variables = scope
    try:
        for index, item in enumerate(value):
            run.spend(1)
            scope[names[0]] = item if len(names) == 1 or isinstance(value, MapValue) else index
            if len(names) == 2:
                scope[names[1]] = value[item] if isinstance(value, MapValue) else item
            yield item
    finally:
        run.variables = outer


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise no_such_overload()
    return value


def _quantifier(operand: Eval, names: tuple[str, ...], part: Eval, decisive: bool) -> Eval:
    def check(run: Run) -> bool:
        failed: CelError | None = None
        for _ in _steps(run, operand(run), names):
            run.spend(1)
            try:
                if _boolean(part(run)) is decisive:
                    return decisive
            except CostExceeded:
                raise
            except CelError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return not decisive

    return check


def _exactly_one(operand: Eval, names: tuple[str, ...], part: Eval) -> Eval:
    def check(run: Run) -> bool:
        return sum([_boolean(part(run)) for _ in _steps(run, operand(run), names)]) == 1

    return check


def _filter(operand: Eval, names: tuple[str, ...], part: Eval) -> Eval:
    def keep(run: Run) -> ListValue:
        return ListValue([item for item in _steps(run, operand(run), names) if _boolean(part(run))])

    return keep


def _transform(operand: Eval, names: tuple[str, ...], parts: Sequence[Eval]) -> Eval:
    """map and transformList, with or without a filter in front."""
    test, change = (parts[0], parts[1]) if len(parts) == 2 else (None, parts[0])

    def apply(run: Run) -> ListValue:
        made = []
        for _ in _steps(run, operand(run), names):
            if test is None or _boolean(test(run)):
                run.spend(1)
                made.append(change(run))
        return ListValue(made)

    return apply


def _transform_map(operand: Eval, names: tuple[str, ...], parts: Sequence[Eval]) -> Eval:
    test, change = (parts[0], parts[1]) if len(parts) == 2 else (None, parts[0])

    def apply(run: Run) -> MapValue:
        made: dict[Any, Any] = {}
        for _ in _steps(run, operand(run), names):
            if test is None or _boolean(test(run)):
                run.spend(1)
                made[run.variables[names[0]]] = change(run)
        return MapValue(made)

    return apply
