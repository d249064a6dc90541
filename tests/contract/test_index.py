"""The index of all documents: complete, every link leads to a file, and sufficient by itself."""

import re
from pathlib import Path

from services.workbench.documents.html.index import DOCS, PATH, index

LINKS = set(re.findall(r'href="([^"]+)"', index())) - {"data:,"}


def test_every_page_of_docs_is_linked() -> None:
    pages = {path for kind in ("*.md", "*.html") for path in DOCS.rglob(kind)} - {PATH}
    assert {str(path.relative_to(DOCS)) for path in pages} - LINKS == set()


def test_every_link_leads_to_a_file_and_none_out_of_the_checkout() -> None:
    assert [link for link in LINKS if not (DOCS / link).is_file()] == []
    assert re.findall(r"src=|@import|url\(|<script|href=.https?://", index()) == []


def test_a_page_that_no_list_names_is_linked_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "new.md").write_text("# A new page\n")
    assert '<a href="new.md">A new page</a>' in index(tmp_path)
