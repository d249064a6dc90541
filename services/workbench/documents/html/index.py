"""The index of all documents, docs/index.html: one file that needs no other and no network."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).parents[4]
DOCS = ROOT / "docs"
PATH = DOCS / "index.html"
PARTS: dict[str, dict[str, str]] = {
    "Learn": {
        "../README.md": "The first ten minutes, and the promises.",
        "concepts.md": "Topics, groups, outbox, dead letters and the three patterns, if you have never used Kafka.",
        "life-of-an-event.md": "One command followed through the code to its mail and its audit entry.",
        "faq.md": "Exactly once? Why not Debezium, transactions, a registry? What is not protected?",
        "extending.md": "Recipes for a new field, event type, topic and service.",
    },
    "Run": {
        "operations.md": "Your own Kafka and PostgreSQL: all settings, backup and restore, upgrade.",
        "backup.md": "How each database is backed up, restored from a backup and from the log, and what is lost.",
        "rights.md": "The least rights in Kafka of each process.",
        "access.md": "Roles and routes of the APIs, tokens, and an issuer for development.",
        "held-records.md": "Records that cannot be applied: the reasons, and how they are retried or discarded.",
        "as-of.md": "The users of any moment, one over HTTP or all in a database, and the checksum that compares them.",
        "export.md": "A topic as files of JSON lines or Parquet, each record once over all runs.",
        "connect.md": "A Kafka Connect worker with a sink and a source, and what it guarantees.",
        "health.md": "The reasons why each part of each process is not alive or not ready.",
        "dashboards.md": "The five dashboards, and the question that each answers.",
        "metrics.md": "Every metric, and which panels and alerts use it.",
        "reliability.md": "Which rows are deleted when, how repeats are recognised, which anomalies are looked for.",
        "resources.md": "Memory and CPU of each part, idle and under load.",
        "bench.md": "The bench: its method, its cases, and the libraries compared.",
    },
    "Contracts": {
        "events.html": "Every topic, and every type of event with its fields and an example record.",
        "errors.md": "Every error of the HTTP APIs, with what to do.",
        "versions.md": "Public parts, how each may change, and for how long a version is supported.",
        "releasing.md": "The recipe of a release: what it consists of, and how it is checked.",
        "asyncapi.json": "The contracts for programs. docs/schemas has a JSON Schema per type.",
    },
    "Code": {
        "architecture.md": "Every package in a sentence, the order of imports, and four paths through the code.",
        "../SECURITY.md": "How to report a vulnerability; the threat model: assets, doors and what holds others out.",
        "../CONTRIBUTING.md": "The rules of the code, and how to add to it.",
        "../DECISIONS.md": "The choices that were not obvious, or made by a measurement.",
        "../CHANGELOG.md": "The changes of each version.",
    },
}
OTHERS = "More"
TITLES = {
    "../README.md": "README",
    "bench.md": "Measurements",
    "events.html": "Topics and events",
    "asyncapi.json": "AsyncAPI 3",
}


class Document(NamedTuple):
    """A document: where it is from docs/, its title, and its contents in a sentence."""

    link: str
    title: str
    about: str


def index(docs: Path = DOCS) -> str:
    """Return the page of a folder of documents as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    runbooks = [path.stem for path in sorted((docs / "runbooks").glob("*.md")) if path.stem != "README"]
    return environment.get_template("index.html").render(parts=dict(_parts(docs)), runbooks=runbooks)


def _parts(docs: Path) -> Iterator[tuple[str, list[Document]]]:
    placed = {name for names in PARTS.values() for name in names}
    pages = sorted(path.name for kind in ("*.md", "*.html") for path in docs.glob(kind) if path.name != PATH.name)
    others = {name: "" for name in pages if name not in placed}
    for title, names in (PARTS | {OTHERS: others}).items():
        found = [
            Document(name, _title(docs / name, name), about) for name, about in names.items() if (docs / name).exists()
        ]
        if found:
            yield title, found


def _title(path: Path, name: str) -> str:
    return TITLES.get(name) or path.read_text().partition("\n")[0].lstrip("# ")
