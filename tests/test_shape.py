"""The sizes of the package's pieces, and that tests use it from outside."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent

#: Lines of a module, unless its docstring gives the reason for more (``longer because``).
MODULE = 350
#: Lines of a function, and of the one that puts everything together.
FUNCTION = 60
COMPOSE = 80
#: Parameters of a constructor besides ``self``.
PARAMETERS = 8

Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def sources(directory: str) -> tuple[tuple[str, str, ast.Module], ...]:
    """Every module below the directory: its path, its text, its tree; read once for all tests."""
    paths = sorted((ROOT / directory).rglob("*.py"))
    texts = [(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths]
    return tuple((path, text, ast.parse(text)) for path, text in texts)


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function in the tree, methods and those within others too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def lines_of(node: Function) -> int:
    """The lines of a function, its decorators left out."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def parameters(node: Function) -> int:
    """How many parameters there are besides the first."""
    arguments = node.args
    return len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs) - 1


def is_private(name: str) -> bool:
    """Whether the name is for its own class or module alone; ``_replace`` is for everybody."""
    return name != "_replace" and name.startswith("_") and not name.startswith("__")


def private_names(tree: ast.AST) -> Iterator[str]:
    """The private names that a module of the package gives to something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, Function | ast.ClassDef):
            yield node.name


def reached(tree: ast.AST, private: frozenset[str]) -> Iterator[str]:
    """Where a test uses a private name of the package of something else than itself, or imports one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chatlog"):
            yield from (alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr in private:
            owner = node.value
            if isinstance(owner, ast.Call):
                owner = owner.func
            if not isinstance(owner, ast.Name) or owner.id not in ("self", "cls", "super"):
                yield ast.unparse(node)


class PackageTests(SynchronousTestCase):
    """Pieces that are read at one go."""

    def test_modules(self) -> None:
        """No module is longer than 350 lines, or its docstring says why."""
        for path, text, tree in sources("chatlog"):
            reason = "longer because" in (ast.get_docstring(tree) or "")
            self.assertTrue(text.count("\n") <= MODULE or reason, path)

    def test_functions(self) -> None:
        """No function has 60 lines; the one that puts all parts together has less than 80."""
        for path, _, tree in sources("chatlog"):
            for node in functions(tree):
                limit = COMPOSE if (path, node.name) == ("chatlog/tap.py", "compose") else FUNCTION
                self.assertLess(lines_of(node), limit, f"{path}: {node.name}")

    def test_constructors(self) -> None:
        """No constructor has more than 8 parameters."""
        for path, _, tree in sources("chatlog"):
            for node in functions(tree):
                if node.name == "__init__":
                    self.assertLessEqual(parameters(node), PARAMETERS, f"{path}:{node.lineno}")

    def test_composition_reads_downwards(self) -> None:
        """What puts the parts together has no function within it, where a part could be named that is made
        only later."""
        [composes] = [
            node
            for path, _, tree in sources("chatlog")
            for node in functions(tree)
            if (path, node.name) == ("chatlog/tap.py", "compose")
        ]
        inner = [node for node in ast.walk(composes) if isinstance(node, Function | ast.Lambda)]
        self.assertEqual(inner, [composes])


class OutsideTests(SynchronousTestCase):
    """Tests use what everybody may use."""

    def test_nothing_private(self) -> None:
        """No test reaches for a private attribute of the package."""
        names = {name for _, _, tree in sources("chatlog") for name in private_names(tree)}
        private = frozenset(filter(is_private, names))
        for path, _, tree in sources("tests"):
            self.assertEqual(list(reached(tree, private)), [], path)
