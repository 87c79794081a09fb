"""Nothing public is without a caller: what nobody uses is read, typed, tested and mended for nothing."""

from __future__ import annotations

import ast
import re
from collections import Counter

from tests.house.tree import name_of, parsed, sources

# Found by a framework, or by name from outside of Python.
BY_NAME = re.compile(r"^(main|app|router|validate_\w+|both_or_neither|model_config)$")
# Public on purpose, each with its reason.
ALLOWED: dict[str, str] = {"app/cli.py: list_commands": "typer's groups ask for it"}


def test_nothing_public_is_without_a_caller() -> None:
    uses: Counter[str] = Counter()
    for path in (*sources(), *sources("migrations"), *sources("benchmarks")):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                uses[node.id] += 1
            elif isinstance(node, ast.Attribute):
                uses[node.attr] += 1
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                uses[node.value] += 1
            elif isinstance(node, ast.alias):
                uses[node.name] += node.asname is not None  # used under the other name, or ruff complains
            elif isinstance(node, ast.keyword) and node.arg:
                uses[node.arg] += 1
    unused = {
        f"{name_of(path)}: {name}"
        for path in sources()
        for name, decorated in _public(parsed(path))
        if not uses[name] and not decorated and not BY_NAME.match(name)
    }
    assert unused == set(ALLOWED)


def _public(tree: ast.Module) -> list[tuple[str, bool]]:
    """The functions, classes, methods and constants without an underscore, and whether a decorator takes them."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(
                (
                    node.name,
                    isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and bool(node.decorator_list),
                )
            )
            if isinstance(node, ast.ClassDef) and not _answers_a_framework(node):
                found += [
                    (method.name, bool(method.decorator_list) and not _is_plain(method))
                    for method in node.body
                    if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
                ]
        elif isinstance(node, ast.Assign):
            found += [(target.id, False) for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append((node.target.id, False))
    return [(name, decorated) for name, decorated in found if not name.startswith("_")]


def _is_plain(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return {ast.unparse(each) for each in method.decorator_list} <= {
        "property",
        "classmethod",
        "staticmethod",
    }


def _answers_a_framework(node: ast.ClassDef) -> bool:
    """Whether the methods override those of a class that is not ours."""
    bases = {ast.unparse(base).rpartition(".")[2].partition("[")[0] for base in node.bases}
    return bool(
        bases
        & {
            "HttpToolsProtocol",
            "JSONFormatter",
            "Formatter",
            "Request",
            "APIRoute",
            "BaseHTTPRequestHandler",
            "Protocol",
            "NodeVisitor",
        }
    )
