"""Prints lines of functions and files, numbers of parameters, and total lines.

`python -m tests.support.sizes` prints the table; `test_sizes.py` fails where a bound is exceeded.
"""

import ast
import statistics
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Measure = Callable[[str], "list[Measured]"]


class Measured(msgspec.Struct, frozen=True):
    """The size of a file or function and its place."""

    place: str
    size: int


def files(folder: str) -> list[Measured]:
    """Return the lines of each Python file below a folder; empty files and generated revisions don't count."""
    return [Measured(str(path.relative_to(ROOT)), lines) for path, lines in _sources(folder) if lines]


def functions(folder: str) -> list[Measured]:
    """Return the lines of each function's body, docstrings and nested functions apart."""
    return [Measured(place, _body_lines(function)) for place, function in _functions(folder)]


def parameters(folder: str) -> list[Measured]:
    """Return the number of each function's parameters, `self` apart."""
    return [Measured(place, _parameters(function)) for place, function in _functions(folder)]


def percentile(measured: Iterable[Measured], share: float) -> int:
    """Return the size that a share of all do not exceed."""
    sizes = sorted(item.size for item in measured)
    return sizes[min(len(sizes) - 1, int(len(sizes) * share))]


def largest(measured: Iterable[Measured]) -> Measured:
    """Return the item with the greatest size."""
    return max(measured, key=lambda item: item.size)


def table() -> str:
    """Return the sizes of services and tests, and the total lines of all Python code."""
    lines = [f"{'':30}{'count':>6}{'median':>8}{'p95':>6}{'max':>6}  largest"]
    for folder in ("services", "tests"):
        for name, measure in (("files", files), ("functions", functions), ("parameters", parameters)):
            found = measure(folder)
            top = largest(found)
            middle = statistics.median(item.size for item in found)
            ninety_fifth = percentile(found, 0.95)
            lines.append(
                f"{folder + ' ' + name:30}{len(found):6}{middle:8.0f}{ninety_fifth:6}{top.size:6}  {top.place}"
            )
    totals = {folder: sum(file.size for file in files(folder)) for folder in ("services", "k8s", "tests")}
    lines += [f"{folder + ' lines':30}{total:6}" for folder, total in {**totals, "all": sum(totals.values())}.items()]
    return "\n".join(lines)


def _sources(folder: str) -> Iterator[tuple[Path, int]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path, len(path.read_text().splitlines())


def _functions(folder: str) -> Iterator[tuple[str, Function]]:
    for path, _ in _sources(folder):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def _body_lines(function: Function) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None and len(function.body) > 1 else function.body
    nested = sum(_length(node) for node in ast.walk(function) if isinstance(node, Function) and node is not function)
    return sum(_length(statement) for statement in body) - nested


def _length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _parameters(function: Function) -> int:
    given = function.args
    return len([one for one in given.posonlyargs + given.args + given.kwonlyargs if one.arg not in ("self", "cls")])


if __name__ == "__main__":
    print(table())  # noqa: T201  # a program for people
