"""Measure the modules of Python's standard library: the jobs of the notebook on consumers.

The files are those of the Python that runs this, so the figures are real ones.
"""

import ast
import sysconfig
from pathlib import Path

__all__ = ["FOLDER", "files", "measure"]

FOLDER = Path(sysconfig.get_paths()["stdlib"])
BRANCHES = (ast.If, ast.For, ast.While, ast.Try, ast.With, ast.IfExp, ast.BoolOp, ast.comprehension)


def files():
    """The modules and packages' modules, as paths below `FOLDER`, without tests and idlelib."""
    found = [path.relative_to(FOLDER) for path in FOLDER.glob("*.py")]
    found += [path.relative_to(FOLDER) for path in FOLDER.glob("*/*.py")]
    skipped = {"test", "idlelib", "lib2to3", "site-packages", "dist-packages", "__pycache__"}
    return sorted(str(path) for path in found if not skipped & set(path.parts))


def measure(file):
    """Lines, functions and branches of one module."""
    text = (FOLDER / file).read_bytes()
    nodes = list(ast.walk(ast.parse(text)))
    return {
        "module": file.removesuffix(".py").replace("/", ".").removesuffix(".__init__"),
        "lines": text.count(b"\n"),
        "functions": sum(isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) for n in nodes),
        "branches": sum(isinstance(n, BRANCHES) for n in nodes),
    }
