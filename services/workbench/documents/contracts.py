"""Every document that is generated from the contracts, and the index of all documents, as text by path."""

import json
from pathlib import Path

from services.workbench.documents.asyncapi import document
from services.workbench.documents.compatibility import BASELINE, ROOT, SCHEMAS, published
from services.workbench.documents.html.index import PATH as INDEX
from services.workbench.documents.html.index import index
from services.workbench.documents.html.page import page
from services.workbench.documents.schemas import schemas


def documents() -> dict[Path, str]:
    """Return what `docs/` must hold."""
    texts = {ROOT / SCHEMAS / f"{name}.json": _json(schema) for name, schema in schemas().items()}
    pages = {ROOT / "docs/events.html": page(), INDEX: index()}
    return texts | pages | {ROOT / "docs/asyncapi.json": _json(document())}


def write() -> list[str]:
    """Write the files that have changed, remove schemas of no type, and return their paths.

    Until the first tag a shape may change together with its golden bytes, so the baseline follows. From then on it
    holds the shapes of the tag.
    """
    texts = documents() | {BASELINE: _json(published() or schemas())}
    left = [path for path in (ROOT / SCHEMAS).glob("*.json") if path not in texts]
    changed = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    for path in left:
        path.unlink()
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path])
    return [f"{path.relative_to(ROOT)}: written" for path in changed] + [f"{path.name}: removed" for path in left]


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
