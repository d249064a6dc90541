"""The generator of services: requests that are refused, rows in shared files, and changes that are made as a whole."""

import keyword
from pathlib import Path

import pytest

from services.console.failures import UsageError
from services.contracts.service_list import LAG_EXPORTER_SLOT, LARGEST_SLOT, ROWS, Service, read
from services.workbench.new_service.change import Change, apply, delete, edited, require_absent
from services.workbench.new_service.new_file import NewFile
from services.workbench.new_service.request import NewService, requested
from services.workbench.new_service.rows import Row, inserted, removed, rows
from services.workbench.new_service.templates import files, owned

ROOT = Path(__file__).parents[3]
STATE = "user.state.v1"


def a_service(name: str = "billing", *reads: str) -> NewService:
    return requested(name, reads or (STATE,), ROWS)


@pytest.mark.parametrize("name", ["", "b", "Billing", "bil-ling", "bil_ling", "9lives", "x" * 21, "billing\n", "../x"])
def test_a_name_that_cannot_be_a_package_and_a_deployment_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="lower-case letters and digits"):
        a_service(name)


@pytest.mark.parametrize("name", ["user", "audit", "kafka", "page", "connect", "console", "class", keyword.kwlist[-1]])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"such a service|taken by another part"):
        a_service(name)


@pytest.mark.parametrize(
    ("reads", "reason"),
    [
        ((), "READS is empty"),
        (("user.stat.v1",), "no such topic to read; there are user.events.v1, "),
        (("user.dlq.v1",), "no such topic to read"),
        ((STATE, STATE), "named twice"),
    ],
)
def test_topics_that_cannot_be_read_are_refused_with_those_that_can(reads: tuple[str, ...], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        requested("billing", reads, ROWS)


def test_a_service_gets_the_first_free_slot_until_none_is_left() -> None:
    taken = [Service(f"s{slot}", slot, ()) for slot in range(LARGEST_SLOT) if slot != LAG_EXPORTER_SLOT]
    assert requested("billing", [STATE], taken).row.slot == LARGEST_SLOT
    with pytest.raises(UsageError, match="slots of ports are taken"):
        requested("billing", [STATE], [*taken, Service("last", LARGEST_SLOT, ())])


def test_a_row_is_inserted_at_its_place_and_removed_again() -> None:
    first, second = Row("f", ", one", before="]"), Row("f", ", two", before="]")
    both = inserted(inserted("[zero]", first), second)
    assert both == "[zero, one, two]"
    assert removed(both, first) == "[zero, two]"
    assert removed(removed(both, second), first) == "[zero]"
    assert removed(inserted("a\n", Row("f", "b\n")), Row("f", "b\n")) == "a\n"


@pytest.mark.parametrize("content", ["[zero", "[zero]]"])
def test_a_place_that_is_not_there_once_is_refused(content: str) -> None:
    with pytest.raises(UsageError, match="so the place of"):
        inserted(content, Row("f", "x", before="]"))


def test_a_row_that_somebody_has_changed_is_not_removed_silently() -> None:
    with pytest.raises(UsageError, match="remove by hand"):
        removed("a\n", Row("f", "b\n"))


def test_every_row_has_its_place_and_the_row_of_the_list_is_the_service() -> None:
    service = a_service("billing", STATE, "user.notices.v1")
    contents = edited(ROOT, rows(service.values()), inserted)
    assert read(contents[ROOT / "services/contracts/services.toml"])[-1] == service.row
    back = {path: path.read_text() for path in contents}
    for row in rows(service.values()):
        contents[ROOT / row.file] = removed(contents[ROOT / row.file], row)
    assert contents == back


def test_a_service_owns_folders_of_its_own_name_alone() -> None:
    values = a_service().values()
    assert {path.name for path in owned(values)} == {"billing"}
    assert not [file.path for file in files(values) if "NAME" in str(file.path) or file.path.suffix == ".jinja"]
    assert not [file.path for file in files(values) if "@{" in file.text or "@%" in file.text]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "services/billing").mkdir(parents=True)
    with pytest.raises(UsageError, match="services/billing: exists"):
        require_absent(tmp_path, [Path("services/billing"), Path("charts/billing")])


def test_a_change_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    shared = tmp_path / "list"
    shared.write_text("before")
    new = [NewFile(Path("a/billing/x"), "text"), NewFile(Path("a/billing/y"), link=Path("../target"))]

    present: list[bool] = []

    def fail() -> None:
        present.append((tmp_path / "a/billing/y").is_symlink())
        raise UsageError("a generator failed")

    with pytest.raises(UsageError, match="a generator failed"):
        apply(tmp_path, Change(new, [Path("a/billing")], {shared: "after"}), fail)
    assert present == [True, False]  # derived again from what was restored
    assert list(tmp_path.rglob("*")) == [shared]
    assert shared.read_text() == "before"


def test_a_link_is_deleted_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a/billing").symlink_to("../kept")
    delete(tmp_path, [Path("a/billing")])
    assert list(tmp_path.rglob("*")) == [tmp_path / "kept"]
