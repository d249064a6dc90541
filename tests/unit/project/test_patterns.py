r"""Patterns accept no line break at their end: Python's `$` also matches before one, `\Z` does not.

The JSON Schemas of our documents and charts follow ECMA-262 and RE2, where `$` is the end.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest

from services.workbench.documents import asyncapi

ROOT = Path(__file__).parents[3]
FILES = sorted(path for folder in ("services", "k8s") for path in (ROOT / folder).rglob("*.py"))
LOOSE = re.compile(r"(?<!\\)(?:\\\\)*\$(?!\(\?!)")
SCHEMAS = [*sorted((ROOT / "docs" / "schemas").glob("*.json")), *sorted((ROOT / "charts").glob("*/values.schema.json"))]


def patterns(tree: ast.AST) -> Iterator[str]:
    """Yield the constant parts of each pattern: arguments of `re`, and arguments named `pattern`."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        function = call.func
        of_re = (
            isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "re"
        )
        given = call.args[:1] if of_re and not _multiline(call) else []
        for argument in [*given, *(word.value for word in call.keywords if word.arg == "pattern")]:
            for part in ast.walk(argument):
                if isinstance(part, ast.Constant) and isinstance(part.value, str | bytes):
                    yield part.value if isinstance(part.value, str) else part.value.decode("latin-1")


def _multiline(call: ast.Call) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr == "MULTILINE" for part in ast.walk(call))


def loose(code: str) -> list[str]:
    return [pattern for pattern in patterns(ast.parse(code)) if LOOSE.search(pattern)]


def in_schema(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "pattern" and isinstance(value, str))
        node = list(node.values())
    for inner in node if isinstance(node, list) else ():
        yield from in_schema(inner)


def test_no_pattern_of_the_code_ends_where_a_line_break_may_follow() -> None:
    assert {str(path.relative_to(ROOT)): found for path in FILES if (found := loose(path.read_text()))} == {}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('re.compile("^a$")', ["^a$"]),
        ('re.match(rb"a$", b)', ["a$"]),
        ('Meta(pattern="^(a|b)$")', ["^(a|b)$"]),
        ('re.fullmatch(f"{x}$", y)', ["$"]),
        ('re.compile(r"a\\\\$")', ["a\\\\$"]),
        ('re.compile("a$", re.MULTILINE)', []),
        ('re.compile(r"^a\\Z")', []),
        ('re.compile(r"a\\$")', []),
        ('Meta(pattern=r"a$(?!\\n)")', []),
        ('print("$")', []),
    ],
)
def test_the_search_finds_such_a_pattern(code: str, found: list[str]) -> None:
    assert loose(code) == found


def test_the_patterns_of_schemas_refuse_a_line_break_as_the_dialect_of_json_schema_reads_them() -> None:
    found = {pattern for path in SCHEMAS for pattern in in_schema(json.loads(path.read_text()))}
    for pattern in found | set(in_schema(asyncapi.document())):
        assert not jsonschema_rs.is_valid({"pattern": pattern}, "1\n"), pattern
        assert "\\Z" not in pattern, pattern
