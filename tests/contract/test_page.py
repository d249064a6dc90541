"""The page of topics and events: complete, and sufficient by itself."""

import re
from html.parser import HTMLParser

import msgspec

from services.contracts.catalog import TOPICS, TYPES
from services.workbench.documents.html.page import Field, fields_of, page
from services.workbench.documents.schemas import schemas

PAGE = page()
VOID = {"meta", "link", "br", "img", "input", "hr", "path", "rect"}


class Reader(HTMLParser):
    """Notes ids and links, and fails where an element is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open += [] if tag in VOID else [tag]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, self.getpos()


def read() -> Reader:
    reader = Reader()
    reader.feed(PAGE)
    reader.close()
    return reader


def test_every_element_is_closed_and_every_link_leads_somewhere() -> None:
    reader = read()
    assert reader.open == []
    assert len(set(reader.ids)) == len(reader.ids)
    files = {f"schemas/{name}.json" for name in schemas()}
    assert {link for link in reader.links if link.removeprefix("#") not in reader.ids} == files | {"index.html"}


def test_the_page_needs_nothing_from_outside() -> None:
    assert re.findall(r"https?://|//\w|@import|url\(|<script|<link", PAGE) == []


def test_every_topic_and_every_type_has_its_place() -> None:
    assert {topic.name for topic in TOPICS if topic.types} | set(TYPES) <= set(read().ids)
    for topic in TOPICS:
        assert '<span class="tag' in PAGE.partition(f">{topic.name}</a></td>")[2][:80]


def test_nested_fields_stand_under_their_path_with_type_and_presence() -> None:
    fields = list(fields_of(schemas()["user.state.1"]))
    assert Field("personal.email", "string", "required") in fields
    assert Field("status", "active | deactivated", "required") in fields
    assert Field("contact_flagged", "boolean", "default false") in fields


def test_a_nullable_field_and_a_type_without_required_fields_are_shown() -> None:
    nested = msgspec.defstruct("Nested", [("text", str, "")])
    later = msgspec.defstruct("Later", [("nickname", str | None, None), ("nested", nested | None, None)])
    assert list(fields_of(msgspec.json.schema(later))) == [
        Field("nickname", "string | null", "default null"),
        Field("nested", "object | null", "default null"),
    ]
