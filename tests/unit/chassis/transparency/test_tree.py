"""The tree against the vectors of Certificate Transparency and a recursive implementation of RFC 6962."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.transparency.tree import (
    EMPTY_ROOT,
    Edge,
    Node,
    check_consistency,
    consistency_proof,
    extend,
    inclusion_proof,
    leaf_hash,
    root_of_inclusion,
)
from tests.unit.chassis.transparency import naive_tree
from tests.unit.chassis.transparency.naive_tree import Reader

VECTOR = [
    bytes.fromhex(entry)
    for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION_0_OF_8 = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]
CONSISTENCY_6_TO_8 = [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]
ENTRIES = [b"entry %d" % number for number in range(700)]
LEAVES = list(map(leaf_hash, ENTRIES))
READ = Reader(ENTRIES)
sizes = st.integers(1, len(ENTRIES))


def grown(size: int) -> Edge:
    return extend(Edge(), LEAVES[:size])[0]


def hexed(hashes: list[bytes]) -> list[str]:
    return [each.hex() for each in hashes]


def test_roots_are_those_of_the_vector() -> None:
    leaves = list(map(leaf_hash, VECTOR))
    assert Edge().root() == EMPTY_ROOT
    assert [extend(Edge(), leaves[:size])[0].root().hex() for size in range(1, 9)] == ROOTS


def test_proofs_are_those_of_the_vector() -> None:
    assert hexed(inclusion_proof(0, 8, Reader(VECTOR))) == INCLUSION_0_OF_8
    assert hexed(consistency_proof(6, 8, Reader(VECTOR))) == CONSISTENCY_6_TO_8


@given(st.lists(st.integers(0, 300), max_size=6))
def test_a_tree_that_grows_in_batches_has_the_root_of_all_its_entries(batches: list[int]) -> None:
    edge, nodes, size = Edge(), list[Node](), 0
    for batch in batches:
        taken = LEAVES[size : size + batch]
        edge, filled = extend(edge, taken)
        nodes += filled
        size += len(taken)
    assert edge.size == size
    assert edge.root() == naive_tree.root(ENTRIES[:size])
    assert nodes == [Node(1, tile, READ(1, tile, 1)[0]) for tile in range(size // 256)]


def test_the_nodes_of_the_second_level_follow_65536_entries() -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(65536)]
    edge, nodes = extend(Edge(), leaves[:65535])
    assert {node.level for node in nodes} == {1}
    last, filled = extend(edge, leaves[65535:])
    assert [(node.level, node.index) for node in filled] == [(1, 255), (2, 0)]
    assert filled[1].hash == last.root() == extend(Edge(), [node.hash for node in [*nodes, filled[0]]])[0].root()


@given(st.integers(0, 2**40))
def test_an_edge_is_packed_and_unpacked(size: int) -> None:
    edge = Edge(size, tuple(bytes([number]) * 32 for number in range(size.bit_count())))
    assert Edge.unpacked(size, edge.packed()) == edge
    with pytest.raises(ValueError, match="cannot have"):
        Edge.unpacked(size, edge.packed() + b"\0")


@given(st.data())
def test_an_inclusion_proof_is_that_of_the_definition_and_leads_to_the_root(data: st.DataObject) -> None:
    size = data.draw(sizes)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, READ)
    assert proof == naive_tree.path(index, ENTRIES[:size])
    assert root_of_inclusion(LEAVES[index], index, size, proof) == grown(size).root()


@given(st.data())
def test_a_consistency_proof_is_that_of_the_definition_and_holds(data: st.DataObject) -> None:
    new = data.draw(sizes)
    old = data.draw(st.integers(1, new))
    proof = consistency_proof(old, new, READ)
    assert proof == naive_tree.consistency(old, ENTRIES[:new])
    check_consistency(old, new, proof, grown(old).root(), grown(new).root())


def test_everything_is_consistent_with_the_empty_tree() -> None:
    assert consistency_proof(0, 9, READ) == []
    check_consistency(0, 9, [], EMPTY_ROOT, grown(9).root())
    check_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)


Change = Callable[[list[bytes]], list[bytes]]
CHANGES: list[Change] = [
    lambda proof: proof[:-1],
    lambda proof: [*proof, bytes(32)],
    lambda proof: [bytes(32), *proof[1:]],
    lambda proof: [*proof[:-1], bytes(32)],
    lambda proof: proof[::-1],
    lambda _: [],
]


@given(st.data())
def test_a_changed_proof_is_refused(data: st.DataObject) -> None:
    new = data.draw(st.integers(4, len(ENTRIES)).filter(lambda size: size & (size - 1)))
    old = data.draw(st.integers(3, new - 1).filter(lambda size: size & (size - 1)))
    change = data.draw(st.sampled_from(CHANGES))
    proof = consistency_proof(old, new, READ)
    if change(proof) != proof:
        with pytest.raises(ValueError, match="consistency proof"):
            check_consistency(old, new, change(proof), grown(old).root(), grown(new).root())
    path = inclusion_proof(old, new, READ)
    if change(path) != path:
        try:
            root = root_of_inclusion(LEAVES[old], old, new, change(path))
        except ValueError:
            return
        assert root != grown(new).root()


def test_two_roots_of_one_size_are_a_fork() -> None:
    with pytest.raises(ValueError, match="different roots"):
        check_consistency(5, 5, [], grown(5).root(), grown(6).root())
    with pytest.raises(ValueError, match="must be empty"):
        check_consistency(5, 5, [bytes(32)], grown(5).root(), grown(5).root())
    with pytest.raises(ValueError, match="empty tree"):
        check_consistency(0, 5, [], bytes(32), grown(5).root())


@pytest.mark.parametrize(("old", "new"), [(6, 5), (-1, 5)])
def test_a_tree_does_not_shrink(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="did not grow"):
        consistency_proof(old, new, READ)
    with pytest.raises(ValueError, match="did not grow"):
        check_consistency(old, new, [], bytes(32), bytes(32))


@pytest.mark.parametrize("index", [5, -1])
def test_an_entry_outside_the_tree_has_no_proof(index: int) -> None:
    with pytest.raises(ValueError, match="has no entry"):
        inclusion_proof(index, 5, READ)
    with pytest.raises(ValueError, match="has no entry"):
        root_of_inclusion(LEAVES[0], index, 5, [])


def test_a_reader_that_lacks_hashes_is_named() -> None:
    with pytest.raises(ValueError, match="1 of 4 hashes of tile level 0 from 4 on"):
        inclusion_proof(0, 8, lambda level, first, count: READ(level, first, count)[: 4 - first or 1])
