"""The body of a ``%%consume`` cell as a function.

It sees the notebook's names; what it assigns stays its own, as in any function. ``return`` gives
the answer, ``await`` makes it a coroutine function. Errors and tracebacks show the cell's lines.
"""

import ast
import keyword
import re
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["function_of"]

_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def function_of(body: str, first: str, channel: str, shell: Any) -> Callable[..., Any]:
    """Make a consumer, ``message`` → answer, of the body of a cell.

    Args:
        body: what stands below the first line.
        first: the first line.
        channel: that it consumes; the function is named after it.
        shell: of the notebook; its names are the function's globals.

    Raises:
        SyntaxError: at its line of the cell.
    """
    # Magics and ! in the body become Python; line 1 is the magic's own.
    source = "\n" + shell.transform_cell(body)
    file = shell.compile.cache(source, shell.execution_count, raw_code=f"{first}\n{body}")
    try:
        tree = ast.parse(source, file)
        _refuse_yields(tree, source, file)
        code = compile(_wrapped(tree, _name_of(channel)), file, "exec")
    except SyntaxError as error:
        if error.text is None and error.lineno:  # the compiler knows the tree only
            error.text = source.splitlines()[error.lineno - 1]
        raise error.with_traceback(None) from None
    made: dict[str, Any] = {}
    exec(code, shell.user_ns, made)
    function: Callable[..., Any] = made[_name_of(channel)]
    return function


def _name_of(channel: str) -> str:
    """``sensor.*`` → ``sensor``."""
    name = re.sub(r"\W+", "_", channel).strip("_")
    if not name or name[0].isdigit() or keyword.iskeyword(name):
        return f"consume_{name}".rstrip("_")
    return name


def _wrapped(tree: ast.Module, name: str) -> ast.Module:
    """The statements as the body of one function."""
    kind = "async def" if any(map(_awaits, _own(tree))) else "def"
    outer = ast.parse(f"{kind} {name}(message): pass")
    (function,) = outer.body
    assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
    if tree.body:
        function.body = tree.body
    return outer


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run in the function itself, not in functions inside of it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, _INNER):
            yield from _own(child)


def _awaits(node: ast.AST) -> bool:
    if isinstance(node, ast.comprehension):
        return bool(node.is_async)
    return isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith))


def _refuse_yields(tree: ast.Module, source: str, file: str) -> None:
    for node in _own(tree):
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            line = source.splitlines()[node.lineno - 1]
            raise SyntaxError(
                "a consumer returns its answer; with a yield nothing of it would run",
                (file, node.lineno, node.col_offset + 1, line),
            )
