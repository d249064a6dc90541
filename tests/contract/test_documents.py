"""Checks that the committed documents are those of the present contracts."""

from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from services.contracts.catalog import TYPES
from services.contracts.shapes import written_version
from services.workbench.documents.compatibility import ROOT, SCHEMAS
from services.workbench.documents.contracts import documents
from services.workbench.documents.goldens import golden, headers_of
from services.workbench.documents.schemas import Schema, schemas

of_every_type = pytest.mark.parametrize("kind", sorted(TYPES))


def schema_of(kind: str) -> Schema:
    return schemas()[f"{kind}.{written_version(TYPES[kind])}"]


@pytest.mark.parametrize(("path", "text"), [pytest.param(*pair, id=pair[0].name) for pair in documents().items()])
def test_a_committed_document_is_as_the_contracts_report(path: Path, text: str) -> None:
    assert path.exists(), f"{path} is not there: run make docs"
    assert path.read_text() == text, f"{path} differs from the contracts: run make docs, and look at the change"


def test_no_schema_is_left_of_a_type_that_is_gone() -> None:
    assert {path for path in documents() if path.parent.name == "schemas"} == set((ROOT / SCHEMAS).iterdir())


@of_every_type
def test_the_golden_record_of_a_type_is_valid_by_its_schema(kind: str) -> None:
    checked = jsonschema_rs.Draft202012Validator(schema_of(kind))
    assert [str(error) for error in checked.iter_errors(msgspec.json.decode(golden(kind).value))] == []


@of_every_type
def test_a_record_that_lacks_its_required_fields_is_not_valid(kind: str) -> None:
    schema = schema_of(kind)
    required = schema["$defs"][schema["$ref"].rpartition("/")[2]]["required"]
    assert jsonschema_rs.Draft202012Validator(schema).is_valid({}) == (required == [])


@of_every_type
def test_a_schema_is_found_by_the_dataschema_of_its_records(kind: str) -> None:
    assert schema_of(kind)["$id"] == headers_of(kind)["ce_dataschema"]
