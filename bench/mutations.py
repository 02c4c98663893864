"""What can be changed in a module so that its tests should notice: one small change at a time."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
#: A number from here on is a limit or a size, and one more makes no difference to anybody.
_LARGE = 50
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Mutant(NamedTuple):
    """One changed module: ``tree`` is the whole of it, ``line`` where it was changed, ``place`` the class and
    function, ``change`` the code before and after."""

    line: int
    place: str
    change: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """What it is recognised by, also when lines were added above it."""
        return f"{self.place}: {self.change}"


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module. What people read is left alone: docstrings, lines of the log, the texts of
    errors; and so are annotations, and the numbers at the top of a module, which tests know by name."""
    tree = ast.parse(source)
    for at, (place, node) in enumerate(_nodes(tree)):
        for number in range(len(list(_changes(node)))):
            changed = copy.deepcopy(tree)
            _, target = list(_nodes(changed))[at]
            before = _text(target)
            new = list(_changes(target))[number]
            _put(target, new)
            after = _text(target) if isinstance(new, dict) else _text(new)
            ast.fix_missing_locations(changed)
            yield Mutant(getattr(node, "lineno", 0), place, f"{before} -> {after}", changed)


def _nodes(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """What may be changed, with the class and function that it is in, in the order of the file."""
    pending: list[tuple[str, ast.AST]] = [("", tree)]
    while pending:
        place, node = pending.pop()
        if place and not isinstance(node, Function | ast.ClassDef):
            yield place, node
        inside = place
        if isinstance(node, Function | ast.ClassDef):
            inside = f"{place}.{node.name}" if place else node.name
        pending += [(inside, child) for child in reversed(list(_children(node)))]


def _children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and _is_told(node)):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child


def _is_told(call: ast.Call) -> bool:
    """Whether the call writes a line of the log."""
    return "_log." in ast.unparse(call.func) or ast.unparse(call.func) == "Logger"


def _changes(node: ast.AST) -> Iterator[ast.AST | dict[str, object]]:
    """What may stand in the place of a node, or what some of its fields may be instead."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        other = _COMPARED.get(type(node.ops[0]))
        if other is not None:
            yield {"ops": [other()]}
    elif isinstance(node, ast.BoolOp):
        yield {"op": ast.Or() if isinstance(node.op, ast.And) else ast.And()}
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        instead = _COMPUTED.get(type(node.op))
        if instead is not None and not isinstance(getattr(node, "left", None), ast.JoinedStr):
            yield {"op": instead()}
    elif isinstance(node, ast.Constant):
        yield from _constants(node.value)
    elif isinstance(node, ast.If | ast.IfExp):
        # Always one way is what a test that misses the other would not see.
        yield {"test": ast.Constant(True)}
        yield {"test": ast.Constant(False)}
    elif isinstance(node, ast.While) and not isinstance(node.test, ast.Constant):
        yield {"test": ast.Constant(False)}
    elif isinstance(node, ast.Return) and node.value is not None and not _is_nothing(node.value):
        yield {"value": ast.Constant(None)}
    elif isinstance(node, ast.Continue):
        yield ast.Break()
    elif isinstance(node, ast.Break):
        yield ast.Continue()
    elif isinstance(node, ast.Expr) and _is_done(node.value):
        yield ast.Pass()


def _is_done(value: ast.expr) -> bool:
    """Whether a statement of this value does something that can be left out."""
    return isinstance(value, ast.Await) or (isinstance(value, ast.Call) and not _is_told(value))


def _constants(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float) and abs(value) < _LARGE:
        yield ast.Constant(value + 1)


def _is_nothing(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in (None, False)


def _put(target: ast.AST, new: ast.AST | dict[str, object]) -> None:
    """Turn the node into the other, where it stands."""
    if isinstance(new, dict):
        for name, value in new.items():
            setattr(target, name, value)
        return
    where = {name: getattr(target, name) for name in ("lineno", "col_offset") if hasattr(target, name)}
    fields = dict(ast.iter_fields(new))
    target.__class__ = new.__class__
    target.__dict__.clear()
    target.__dict__.update(fields | where)


def _text(node: ast.AST) -> str:
    """The code of a node, of a statement the first line."""
    return ast.unparse(node).partition("\n")[0].strip()
