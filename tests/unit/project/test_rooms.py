"""A wrong import is caught in every room of the chassis; folders stay small enough to be read as rooms."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).parents[3]
CONTAINER = "services.chassis"
MOST_MODULES = 14  # STYLE aims at about 12


def rooms(container: str = CONTAINER) -> list[set[str]]:
    """Return the packages of a container from the highest layer down, as pyproject.toml gives them to import-linter."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [one["layers"] for one in contracts if one.get("containers") == [container]]
    return [{room.strip() for room in layer.split("|")} for layer in layers]


def wrong_imports() -> Iterator[tuple[str, str]]:
    """Yield, for each room, itself and a room above or beside it."""
    layers = rooms()
    for level, layer in enumerate(layers):
        for room in sorted(layer):
            forbidden = layer - {room} if len(layer) > 1 else set().union(*layers[:level])
            if forbidden:
                yield room, min(forbidden)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("services")


def illegal(graph: grimp.ImportGraph, container: str = CONTAINER) -> set[Any]:
    layers = [grimp.Layer(*layer, independent=True) for layer in rooms(container)]
    return graph.find_illegal_dependencies_for_layers(layers, containers={container})


def test_every_room_is_a_layer_and_none_breaks_the_order(graph: grimp.ImportGraph) -> None:
    packages = {name.rpartition(".")[2] for name in graph.find_children(CONTAINER)}
    assert set().union(*rooms()) == packages
    assert not illegal(graph)


@pytest.mark.parametrize(("room", "forbidden"), list(wrong_imports()))
def test_a_wrong_import_in_a_room_is_caught(graph: grimp.ImportGraph, room: str, forbidden: str) -> None:
    importer, imported = f"{CONTAINER}.{room}", f"{CONTAINER}.{forbidden}"
    graph.add_import(importer=importer, imported=imported)
    found = {(one.importer, one.imported) for one in illegal(graph)}
    graph.remove_import(importer=importer, imported=imported)
    assert (importer, imported) in found


@pytest.mark.parametrize("room", sorted(set().union(*rooms())))
def test_a_room_that_imports_a_service_is_caught(graph: grimp.ImportGraph, room: str) -> None:
    importer, imported = f"{CONTAINER}.{room}", "services.user"
    graph.add_import(importer=importer, imported=imported)
    found = {(one.importer, one.imported) for one in illegal(graph, "services")}
    graph.remove_import(importer=importer, imported=imported)
    assert (CONTAINER, imported) in found


@pytest.mark.parametrize("folder", sorted({path.parent for path in (ROOT / "services").rglob("*.py")}), ids=str)
def test_a_folder_is_a_room_of_few_modules(folder: Path) -> None:
    modules = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MOST_MODULES, modules
