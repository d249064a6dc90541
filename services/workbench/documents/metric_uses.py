"""Uses of a metric: the panels and alerts that query it, directly or by a recorded series."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # it has no types of its own

FILES = Path(__file__).parents[3] / "charts/observability/files"
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SUFFIXES = ("_bucket", "_count", "_sum")

Expressions = list[tuple[str, str]]  # who asks, what is asked


def panels() -> Expressions:
    """Return every panel's queries, a panel as `dashboard: title`."""
    boards = [json.loads(path.read_text()) for path in sorted(FILES.glob("grafana/dashboards/*.json"))]
    return [
        (f"{board['title'].rpartition('/')[2].strip()}: {panel.get('title') or panel['type']}", target["expr"])
        for board in boards
        for panel in _flat(board["panels"])
        for target in panel.get("targets", [])
    ]


def alerts() -> Expressions:
    """Return every alert's expression."""
    return [(rule["alert"], rule["expr"]) for rule in _rules() if "alert" in rule]


def recorded() -> dict[str, str]:
    """Return every recorded series' expression."""
    return {rule["record"]: rule["expr"] for rule in _rules() if "record" in rule}


def users(name: str, of: Expressions, recorded: Mapping[str, str]) -> list[str]:
    """Return who looks at a metric, each once, in their order."""
    return list(dict.fromkeys(who for who, expression in of if name in names(expression, recorded)))


def names(expression: str, recorded: Mapping[str, str]) -> set[str]:
    """Return every word of an expression that could be a metric, also behind the series that it asks for."""
    found: set[str] = set()
    open_ones = [expression]
    while open_ones:
        fresh = set(NAME.findall(open_ones.pop())) - found
        found |= fresh
        open_ones += [recorded[name] for name in fresh if name in recorded]
    return found | {name.removesuffix(suffix) for name in found for suffix in SUFFIXES}


def _flat(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _flat(panel.get("panels", []))


def _rules() -> list[dict[str, Any]]:
    path = FILES / "rules.yml"
    rules = yaml.safe_load(path.read_text()) if path.exists() else {"groups": []}
    return [rule for group in rules["groups"] for rule in group["rules"]]
