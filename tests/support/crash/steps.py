"""Durable steps, found in the syntax trees of `services`: commits, acknowledged records, mails, and files made durable.

The workbench is left out: it is in no image. A step has the name of its function and its number in it, from 1.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
CODE, LEFT_OUT = "services", "services/workbench"
COMMIT, PUBLISH, OFFSETS, MAIL, FILE = "commit", "publish", "offsets", "mail", "file"
TRANSACTIONS = {"write", "writing", "begin"}  # as context managers
FILES = {"fsync", "fdatasync", "rename", "renames", "move"}
SCHEMA = {"create_all", "drop_all"}  # in a transaction of their own if they are given an engine
SMTP = {"sendmail", "send_message"}
DIALOGUE = {"send", "getreply"}  # in a module that imports smtplib


class Step(NamedTuple):
    """A step in the code: `function` is MODULE:QUALIFIED_NAME."""

    function: str
    number: int
    kind: str
    file: str
    first: int
    last: int

    @property
    def name(self) -> str:
        """The name in the table of points."""
        return self.function if self.number == 1 else f"{self.function}#{self.number}"

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.first}"


@cache
def found() -> Sequence[Step]:
    """Return every durable step of the services."""
    files = sorted((ROOT / CODE).rglob("*.py"))
    named = ((path, str(path.relative_to(ROOT))) for path in files)
    return [step for path, name in named if not name.startswith(LEFT_OUT) for step in steps_of(path.read_text(), name)]


def steps_of(text: str, file: str) -> list[Step]:
    """Return the steps of a module, in the order of its lines."""
    tree, numbers = ast.parse(text), Counter[str]()
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.Import))
    has_smtp = any(alias.name == "smtplib" for node in imports for alias in node.names)
    steps = []
    for scope, call, kind in sorted(_calls(tree, "", has_smtp=has_smtp), key=lambda one: one[1].lineno):
        numbers[scope] += 1
        last = call.end_lineno or call.lineno
        steps.append(Step(f"{module}:{scope}", numbers[scope], kind, file, call.lineno, last))
    return steps


def _calls(node: ast.AST, scope: str, *, has_smtp: bool) -> Iterator[tuple[str, ast.Call, str]]:
    for child in ast.iter_child_nodes(node):
        inner = _within(scope, child)
        if isinstance(child, ast.withitem):
            yield from ((scope, call, COMMIT) for call in _transactions(child.context_expr))
        if isinstance(child, ast.Call) and (kind := _kind(child, has_smtp=has_smtp)):
            yield scope, child, kind
        yield from _calls(child, inner, has_smtp=has_smtp)


def _within(scope: str, child: ast.AST) -> str:
    """Return the qualified name of a class or function in a scope, as `co_qualname` has it."""
    if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return scope
    return ".".join(filter(None, (scope, child.name)))


def _transactions(node: ast.expr) -> Iterator[ast.Call]:
    calls = (call for call in ast.walk(node) if isinstance(call, ast.Call))
    return (call for call in calls if _attribute(call) in TRANSACTIONS)


def _kind(call: ast.Call, *, has_smtp: bool) -> str | None:
    """Return the kind of the step that a call is, None if it is none."""
    name, receiver = _attribute(call), _receiver(call)
    if name in SCHEMA:
        return COMMIT if any("engine" in ast.unparse(one) for one in call.args) else None
    if name == "commit":
        return OFFSETS if any(one.arg == "offsets" for one in call.keywords) or receiver == "member" else COMMIT
    if name == "produce" or (name == "publish" and "producer" in receiver):
        return PUBLISH
    if name in SMTP or (has_smtp and name in DIALOGUE):
        return MAIL
    is_path_replaced = name == "replace" and len(call.args) == 1 and not call.keywords
    return FILE if name in FILES or is_path_replaced or (name == "replace" and receiver == "os") else None


def _attribute(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _receiver(call: ast.Call) -> str:
    """Return the last name before the attribute, such as `_producer` of `self._producer.publish`."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
