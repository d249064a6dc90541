"""Reads a chart's values.yaml as its readers do: a comment right above a key explains it."""

import json
import re
from typing import Any

import msgspec

KEY = re.compile(r"^( *)([A-Za-z][\w.-]*):")
COMMENT = re.compile(r"^ *# ?(.*)\Z")


class Value(msgspec.Struct, frozen=True):
    """One value: its path, its default, its comment."""

    path: tuple[str, ...]
    default: Any
    comment: str


def values(text: str) -> list[Value]:
    """Return the values of a values.yaml that a comment explains, in its order."""
    tree = msgspec.yaml.decode(text)
    lines: list[str] = []
    parents: list[tuple[int, str]] = []
    found = []
    for line in text.splitlines():
        if comment := COMMENT.match(line):
            lines.append(comment[1])
            continue
        if key := KEY.match(line):
            parents = [parent for parent in parents if parent[0] < len(key[1])] + [(len(key[1]), key[2])]
            path = tuple(name for _, name in parents)
            if lines:
                found.append(Value(path, _at(tree, path), " ".join(lines)))
        lines = []
    return found


def unexplained(text: str) -> list[str]:
    """Return the leaves that have no comment, neither themselves nor above them."""
    explained = {value.path for value in values(text)}
    return [
        ".".join(leaf)
        for leaf in _leaves((), msgspec.yaml.decode(text))
        if not any(leaf[:length] in explained for length in range(1, len(leaf) + 1))
    ]


def table(text: str) -> str:
    """Return the values as a table in Markdown."""
    explained = values(text)
    rows = [f"| `{'.'.join(value.path)}` | {_shown(value, explained)} | {_said(value)} |" for value in explained]
    return "\n".join(["| Value | Default | Meaning |", "|---|---|---|", *rows]) + "\n"


def _shown(value: Value, explained: list[Value]) -> str:
    if any(other.path[:-1] == value.path for other in explained):
        return ""  # its values have rows of their own
    return f"`{json.dumps(value.default)}`"


def _said(value: Value) -> str:
    return value.comment.replace("|", "\\|").replace("<", "&lt;")


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def _leaves(path: tuple[str, ...], tree: Any) -> list[tuple[str, ...]]:
    if not isinstance(tree, dict) or not tree:
        return [path]
    return [leaf for name, below in tree.items() for leaf in _leaves((*path, name), below)]
