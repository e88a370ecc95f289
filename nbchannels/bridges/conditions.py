"""Conditions on the fields of a message, as text: ``"loss > 3 and step > 100"``. No IO.

The text is parsed, not evaluated by Python: names of fields, numbers, texts, comparisons, ``and``,
``or``, ``not``, ``+ - * / %``, and ``abs``. Nothing else exists in it.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["LONGEST", "Condition", "NotThere", "condition_of"]

#: Characters of a condition.
LONGEST = 500

_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_SUMS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}


class NotThere(LookupError):
    """A field that the condition asks for is not in the message: nothing can be said."""


#: What a message's fields are asked.
Condition = Callable[[Mapping[str, Any]], bool]


def condition_of(text: str) -> Condition:
    """The condition that a text says.

    Raises:
        ValueError: it is none; the sentence says what is not understood.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a condition has at most {LONGEST} characters, not {len(text):,}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        value = _compiled(tree.body, text)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"condition {text!r} is not understood: {error}") from error
    return lambda fields: bool(value(fields))


def _compiled(node: ast.AST, text: str) -> Callable[[Mapping[str, Any]], Any]:
    match node:
        case ast.Constant(value=value) if isinstance(value, (bool, int, float, str)):
            return lambda fields: value
        case ast.Name(id=name):
            return lambda fields: _field(fields, name)
        case ast.BoolOp(op=op, values=nodes):
            parts = [_compiled(part, text) for part in nodes]
            every = all if isinstance(op, ast.And) else any
            return lambda fields: every(part(fields) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            negated = _compiled(inner, text)
            return lambda fields: not negated(fields)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            positive = _compiled(inner, text)
            return lambda fields: -positive(fields)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _SUMS:
            combine = _SUMS[type(op)]
            one, other = _number(_compiled(left, text)), _number(_compiled(right, text))
            return lambda fields: combine(one(fields), other(fields))
        case ast.Compare(left=left, ops=ops, comparators=rest) if {*map(type, ops)} <= {
            *_COMPARISONS
        }:
            values = [_compiled(part, text) for part in (left, *rest)]
            tests = [_COMPARISONS[type(op)] for op in ops]
            return lambda fields: _holds(tests, [value(fields) for value in values])
        case ast.Call(func=ast.Name(id="abs"), args=[argument], keywords=[]):
            inner_value = _number(_compiled(argument, text))
            return lambda fields: abs(inner_value(fields))
    raise ValueError(
        f"condition {text!r}: {ast.unparse(node)!r} is not understood; write names of fields, "
        "numbers, texts, comparisons, and, or, not, + - * / %, abs(...)"
    )


def _field(fields: Mapping[str, Any], name: str) -> Any:
    if name not in fields:
        raise NotThere(name)
    value = fields[name]
    return math.nan if value is None else value


def _number(value: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Any]:
    """A text times a billion would be a billion times as long."""

    def checked(fields: Mapping[str, Any]) -> Any:
        found = value(fields)
        if isinstance(found, (str, bytes, list, tuple)):
            raise TypeError(f"{found!r:.60} is no number")
        return found

    return checked


def _holds(tests: list[Callable[[Any, Any], Any]], values: list[Any]) -> bool:
    return all(test(values[i], values[i + 1]) for i, test in enumerate(tests))
