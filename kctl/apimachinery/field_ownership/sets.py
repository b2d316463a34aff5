"""Sets of fields, in the very form they have on the wire (FieldsV1), and their algebra.

A set is a tree of dicts. A key is a path element (paths.py): `f:replicas`, `k:{"name":"c"}`, `v:"x"`, `i:0`. A field is a member where its
dict is empty or has the key `.`; otherwise only fields below it are. The root is no member of anything, so the empty root is the
empty set. Sets are values: results share what did not change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

from kctl.apimachinery.field_ownership.paths import sort_key

FieldSet = dict[str, Any]
Path = tuple[str, ...]
"""Path elements from the root."""
SELF = "."
LEAF: FieldSet = {}
"""A member with nothing below it; shared, never changed."""


def is_member(node: FieldSet) -> bool:
    """Of a node below the root."""
    return not node or SELF in node


def of_path(path: Sequence[str]) -> FieldSet:
    """The set of exactly this field."""
    node = LEAF
    for element in reversed(path):
        node = {element: node}
    return node


def of_paths(*paths: Sequence[str]) -> FieldSet:
    """The set of exactly these fields."""
    return reduce(union, map(of_path, paths), LEAF)


def has(root: FieldSet, path: Sequence[str]) -> bool:
    node: FieldSet | None = root
    for element in path:
        node = node.get(element) if node else None
        if node is None:
            return False
    return bool(path) and node is not None and is_member(node)


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    if left is right or not right:
        return left
    return _joined(left, right) if left else right


def _joined(left: FieldSet, right: FieldSet) -> FieldSet:
    """Of two trees that are not empty."""
    out = dict(left)
    for element, node in right.items():
        known = out.get(element)
        if known is None:
            out[element] = node
        elif known is not node and element != SELF:
            if not known:
                out[element] = _with_self(node)
            elif not node:
                out[element] = _with_self(known)
            else:
                out[element] = _joined(known, node)
    return out


def _with_self(node: FieldSet) -> FieldSet:
    return node if is_member(node) else {SELF: LEAF, **node}


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """The members of `left` that are none of `right`; a field that goes takes nothing below it along."""
    if not left or not right:
        return left
    return _minus(left, right, recursive=False)


def recursive_difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """`left` without the members of `right` and everything below them."""
    if not left or not right:
        return left
    return _minus(left, right, recursive=True)


def _minus(left: FieldSet, right: FieldSet, *, recursive: bool) -> FieldSet:
    out: FieldSet = {}
    for element, node in left.items():
        other = right.get(element)
        if other is None:
            out[element] = node
        elif element != SELF:
            kept = None if recursive and is_member(other) else _node_minus(node, other, recursive)
            if kept is not None:
                out[element] = kept
    return out


def _node_minus(node: FieldSet, other: FieldSet, recursive: bool) -> FieldSet | None:
    member = is_member(node) and not is_member(other)
    below = {element: value for element, value in node.items() if element != SELF}
    if below and other:
        below = _minus(below, other, recursive=recursive)
    if below:
        return {SELF: LEAF, **below} if member else below
    return LEAF if member else None


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """The members of both."""
    if left is right:
        return left
    out: FieldSet = {}
    for element, node in left.items():
        other = right.get(element)
        if other is None or element == SELF:
            continue
        member = is_member(node) and is_member(other)
        below = intersection(node, other) if node and other else LEAF
        if below:
            out[element] = {SELF: LEAF, **below} if member else below
        elif member:
            out[element] = LEAF
    return out


def members(root: FieldSet, prefix: Path = ()) -> Iterator[Path]:
    """Every member, those of one place before what is below them, each in the order of path elements."""
    elements = sorted((element for element in root if element != SELF), key=sort_key)
    yield from ((*prefix, element) for element in elements if is_member(root[element]))
    for element in elements:
        if root[element]:
            yield from members(root[element], (*prefix, element))
