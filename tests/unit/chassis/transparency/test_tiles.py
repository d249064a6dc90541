"""Tiles: their paths have one text each, and a bundle has its entries and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.transparency.tiles import TilePath, bundle, resources, unbundle, widths

levels = st.one_of(st.none(), st.integers(0, 63))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (TilePath(0, 0), "tile/0/000"),
        (TilePath(0, 999), "tile/0/999"),
        (TilePath(0, 1000), "tile/0/x001/000"),
        (TilePath(63, 1234067, 8), "tile/63/x001/x234/067.p/8"),
        (TilePath(None, 273, 112), "tile/entries/273.p/112"),
    ],
)
def test_a_path_has_its_text(path: TilePath, text: str) -> None:
    assert path.text() == text
    assert TilePath.parse(text) == path


@given(levels, st.integers(0, 2**56), st.integers(1, 256))
def test_a_path_is_read_back(level: int | None, index: int, width: int) -> None:
    path = TilePath(level, index, width)
    assert TilePath.parse(path.text()) == path


@pytest.mark.parametrize(
    "text",
    [
        "tile/0/x000/000", "tile/0/0", "tile/0/0000", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/x001/x000/",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p/999", "tile/0/001/000",
        "tile/entries/x001", "tile/0/000\n", "/tile/0/000", "tile/0/٠٠٠", "tile/0/000/", "checkpoint", "",
    ],
)  # fmt: skip
def test_another_text_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match=r"path of a tile|tile's path"):
        TilePath.parse(text)


def test_a_log_has_the_tiles_of_its_size() -> None:
    found = [path.text() for path in resources(70_000)]
    assert len(found) == 551
    assert len(set(found)) == 551
    assert {"tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"} <= {*found}
    assert [path.text() for path in resources(256)] == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
    assert list(resources(0)) == []


@given(st.integers(0, 200_000))
def test_a_log_has_what_it_lists_and_nothing_wider(size: int) -> None:
    for path in resources(size):
        assert path.is_within(size)
        wider = TilePath(path.level, path.index, path.width + 1)
        assert path.width == 256 or not wider.is_within(size)


def test_widths_are_of_each_level() -> None:
    assert [widths(70_000, level) for level in range(4)] == [(273, 112), (1, 17), (0, 1), (0, 0)]


def test_the_first_of_a_tile_counts_in_its_level() -> None:
    assert TilePath(1, 3).first == 768


@given(st.lists(st.binary(max_size=400)))
def test_a_bundle_has_its_entries(entries: list[bytes]) -> None:
    assert unbundle(bundle(entries)) == entries


def test_an_entry_has_its_length_before_it() -> None:
    assert bundle([b"ab", b""]) == b"\x00\x02ab\x00\x00"
    assert unbundle(bundle([bytes(65535)])) == [bytes(65535)]
    with pytest.raises(ValueError, match="does not fit"):
        bundle([bytes(65536)])


@pytest.mark.parametrize("cut", range(1, 4))
def test_a_cut_bundle_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="ends inside"):
        unbundle(bundle([b"", b"ab"])[:-cut])
