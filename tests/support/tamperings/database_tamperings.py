"""Tamperings of the database, each with the finding that it must lead to."""

from collections.abc import Callable, Sequence
from random import Random

from msgspec.structs import replace
from sqlalchemy import Connection, delete, insert, select, update

from services.audit import store
from services.audit.chain_heads import Heads
from services.audit.domain import Chain, Entry, flags_of
from services.audit.notary import checkpoint_store
from services.audit.notary.checkpoint_store import checkpoints
from services.audit.tree import node_store
from services.chassis.transparency.keys import Signer
from services.chassis.transparency.tree import Edge, extend
from tests.support.audit_log import ORIGIN
from tests.support.builders import NOW
from tests.support.signed_audit_log import LOG, OTHER, a_note
from tests.support.tamperings.notes import NO_QUORUM, UNKNOWN, broken_signature, changed_note, flipped
from tests.support.tamperings.sample_log import Expected, SampleLog

Tampering = Callable[[Random, SampleLog, Connection], Expected]
entries, chains, nodes, log = store.entries, store.chains, store.nodes, store.log
PLACES = ("ts_ms", "ts_type", "flags", "partition", "offset")


def read(connection: Connection) -> list[Entry]:
    """Return all entries."""
    return list(store.read_entries(connection))


def set_at(connection: Connection, at: int, **values: object) -> None:
    """Change columns of the entry at a position."""
    assert connection.execute(update(entries).where(entries.c.position == at).values(values)).rowcount == 1


def rewrite(connection: Connection, found: Sequence[Entry]) -> None:
    """Compute all chains, leaves, nodes, the edge and the size again over other entries, as the service does."""
    for table in (entries, chains, nodes):
        connection.execute(delete(table))
    connection.execute(update(log).values(size=0, edge=b""))
    log_again = store.Log(connection, ORIGIN, Heads())
    again = [replace(entry, position=position) for position, entry in enumerate(found)]
    for entry in again:
        log_again.chain(entry.topic, entry.topic_id, entry.partition).add(entry)
    log_again.append(again)


def forged(rng: Random, found: list[Entry], before: int) -> tuple[list[Entry], int]:
    """Return entries of which one before a position is changed, removed, added or moved, and where."""
    at = rng.randrange(before - 1)
    entry, kind = found[at], rng.randrange(4)
    if kind == 0:
        value = rng.randbytes(9)
        changed = replace(entry, value=value, flags=flags_of(entry.key, value, entry.headers))
        return [*found[:at], changed, *found[at + 1 :]], at
    if kind == 1:
        return [*found[:at], *found[at + 1 :]], at
    if kind == 2:
        added = replace(entry, partition=77, value=rng.randbytes(9), flags=flags_of(entry.key, b"", entry.headers))
        return [*found[:at], added, *found[at:]], at
    moved = replace(entry, partition=77)
    return [*found[:at], found[at + 1], moved, *found[at + 2 :]], at


def resign(connection: Connection, sizes: Sequence[int], signer: Signer) -> None:
    """Replace checkpoints by those of the entries that are there, signed with a key, without a witness."""
    leaves = list(connection.execute(select(entries.c.leaf).order_by(entries.c.position)).scalars())
    for size in sizes:
        root = extend(Edge(), leaves[:size])[0].root()
        connection.execute(delete(checkpoints).where(checkpoints.c.size == size))
        checkpoint_store.add(connection, size, root, a_note(size, root, signer, cosigned=False), NOW)
        checkpoint_store.mark_published(connection, size, NOW)


def a_part_of_a_record(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    entry = rng.choice(read(connection))
    parts = {name: part for name in ("key", "value", "headers") if (part := getattr(entry, name))}
    if not parts:
        return a_hash(rng, sample, connection)
    name = rng.choice(sorted(parts))
    set_at(connection, entry.position, **{name: rng.choice((flipped(parts[name], rng), parts[name][:-1], None))})
    return Expected(1, rf"at position {entry.position}: ")


def a_hash(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    entry, name = read(connection)[rng.randrange(sample.total)], rng.choice(("leaf", "chain"))
    set_at(connection, entry.position, **{name: flipped(getattr(entry, name), rng)})
    return Expected(1, rf"at position {entry.position}: {name} is ")


def a_place(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    entry, name = read(connection)[rng.randrange(sample.total)], rng.choice((*PLACES, "topic", "topic_id"))
    numbers = {"ts_type": 1, "flags": 1, "partition": 7, "offset": 10_000, "ts_ms": rng.randrange(1, 1000)}
    texts = {"topic": "user.events.v9", "topic_id": "Z" * 22}
    value = texts.get(name) or getattr(entry, name) + numbers[name]
    set_at(connection, entry.position, **{name: value})
    return Expected(1, rf"at position {entry.position}: ")


def a_search_column(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    position, name = rng.randrange(sample.total), rng.choice(("type", "subject", "correlation_id", "event_time"))
    set_at(connection, position, **{name: rng.randrange(10**9) if name == "event_time" else f"forged {rng.random()}"})
    return Expected(1, rf"at position {position}: type, subject, correlation_id, event_time, actor are")


def an_entry_removed(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    position = rng.randrange(sample.total - 1)
    connection.execute(delete(entries).where(entries.c.position == position))
    return Expected(1, rf"at position {position + 1}: position {position} is missing before it")


def the_last_entries_removed(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    left = sample.total - rng.randrange(1, 5)
    connection.execute(delete(entries).where(entries.c.position >= left))
    if left < sample.signed:
        return Expected(3, rf"it has {left:,} entries, but its checkpoint covers ")
    return Expected(1, "stored chain")


def an_entry_added(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    known = store.read_chains(connection)
    entry = rng.choice(read(connection))
    chain = known[entry.topic_id, entry.partition]
    added = replace(entry, position=sample.total, offset=chain.next_offset)
    chained = rng.random() < 0.5
    if chained:
        chain.add(added)
    row = {name: getattr(added, name) for name in Entry.__struct_fields__}
    connection.execute(insert(entries), row)
    return Expected(1, "of the stored chain is" if chained else rf"at position {sample.total}: chain is")


def two_of_a_partition_swapped(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    found = read(connection)
    one = rng.choice(found)
    others = [each.position for each in found if (each.topic, each.partition) == (one.topic, one.partition)]
    if len(others) < 2:
        return a_place(rng, sample, connection)
    first, second = sorted(rng.sample(others, 2))
    _swap(connection, first, second)
    return Expected(1, rf"at position {first}: ")


def neighbours_of_other_partitions_swapped(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    found = read(connection)[: sample.signed]
    places = [(each.topic, each.partition) for each in found]
    at = rng.choice([at for at in range(len(found) - 1) if places[at] != places[at + 1]])
    _swap(connection, at, at + 1)
    return _another_root(sample, at)


def _swap(connection: Connection, first: int, second: int) -> None:
    set_at(connection, first, position=-1)
    set_at(connection, second, position=first)
    set_at(connection, -1, position=second)


def _another_root(sample: SampleLog, at: int) -> Expected:
    size = next(size for size in sample.sizes if size > at)
    return Expected(4, rf"its first {size:,} entries have another root")


def cut_with_all_counters(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    left = rng.randrange(1, sample.signed)
    rewrite(connection, read(connection)[:left])
    return Expected(3, rf"it has {left:,} entries, but its checkpoint covers ")


def everything_computed_again(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    found, at = forged(rng, read(connection), sample.sizes[1])
    rewrite(connection, found)
    return _another_root(sample, at)


def signed_again_without_the_key(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    found, _ = forged(rng, read(connection), sample.sizes[0])
    rewrite(connection, found)
    resign(connection, [size for size in sample.sizes if size <= len(found)], OTHER)
    return UNKNOWN


def signed_again_with_the_key(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    found, _ = forged(rng, read(connection), sample.sizes[0])
    rewrite(connection, [*found, *found[-1:]] if len(found) < sample.signed else found)
    resign(connection, sample.sizes, LOG)
    return NO_QUORUM


def a_fork_behind_a_cosigned_checkpoint(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    cosigned = rng.choice(sample.sizes[:2])
    found, _ = forged(rng, read(connection), cosigned)
    rewrite(connection, found)
    connection.execute(delete(checkpoints).where(checkpoints.c.size != cosigned))
    return Expected(4, rf"its first {cosigned:,} entries have another root")


def no_checkpoint_left(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    found, _ = forged(rng, read(connection), sample.signed)
    rewrite(connection, found)
    connection.execute(delete(checkpoints))
    return Expected(5, "no checkpoint has been published yet")


def the_edge(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    del sample
    connection.execute(update(log).values(edge=flipped(node_store.read_edge(connection), rng)))
    return Expected(1, "the edge of the tree is ")


def the_size(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    size = sample.total + rng.choice((-2, -1, 1, 5))
    connection.execute(update(log).values(size=size))
    return Expected(1, rf"but its size is {size}")


def a_node(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    kind = rng.randrange(3) if sample.total >= 256 else 2
    if kind == 0:
        stored = connection.execute(select(nodes.c.hash)).scalars().first() or b""
        connection.execute(update(nodes).values(hash=flipped(stored, rng)))
        return Expected(1, "node 0 on tile level 1 of the tree is ")
    if kind == 1:
        connection.execute(delete(nodes))
        return Expected(1, "node 0 on tile level 1 of the tree is missing")
    connection.execute(insert(nodes), {"level": rng.randrange(1, 4), "index": rng.randrange(5, 99), "hash": bytes(32)})
    return Expected(1, "stored nodes, but its entries give")


def a_chain(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    del sample
    chain = rng.choice(list(store.read_chains(connection).values()))
    same = (chains.c.topic_id == chain.topic_id) & (chains.c.partition == chain.partition)
    name = rng.choice((*Chain.__struct_fields__[2:], "", "added"))
    if name == "added":
        row = {field: getattr(replace(chain, partition=99), field) for field in Chain.__struct_fields__}
        connection.execute(insert(chains), row)
        return Expected(1, "it has a stored chain, but no entry")
    if not name:
        connection.execute(delete(chains).where(same))
        return Expected(1, "it has entries, but no stored chain")
    value = getattr(chain, name)
    other = {"topic": "user.events.v9", "head": flipped(chain.head, rng)}.get(name) or value + 1
    connection.execute(update(chains).where(same).values({name: other}))
    return Expected(1, rf"{name} of the stored chain is ")


def the_newest_note(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    note, expected = changed_note(rng, _note(connection, sample.signed))
    _set_note(connection, sample.signed, note)
    return expected


def an_earlier_note(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    size = rng.choice(sample.sizes[:2])
    _set_note(connection, size, broken_signature(rng, _note(connection, size)))
    return Expected(1, "a checkpoint has been changed: ")


def a_column_of_a_checkpoint(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    size = rng.choice(sample.sizes)
    values: dict[str, object] = {"root": rng.randbytes(32)} if rng.random() < 0.5 else {"size": size + 1}
    connection.execute(update(checkpoints).where(checkpoints.c.size == size).values(values))
    return Expected(1, "has another size or root than its note")


def no_cosignature(rng: Random, sample: SampleLog, connection: Connection) -> Expected:
    del rng
    _set_note(connection, sample.signed, None)
    return NO_QUORUM


def _note(connection: Connection, size: int) -> bytes:
    return bytes(connection.execute(select(checkpoints.c.cosigned).where(checkpoints.c.size == size)).scalar_one())


def _set_note(connection: Connection, size: int, note: bytes | None) -> None:
    connection.execute(update(checkpoints).where(checkpoints.c.size == size).values(cosigned=note))


TAMPERINGS: tuple[Tampering, ...] = (
    a_part_of_a_record, a_hash, a_place, a_search_column, an_entry_removed, the_last_entries_removed, an_entry_added,
    two_of_a_partition_swapped, neighbours_of_other_partitions_swapped, cut_with_all_counters,
    everything_computed_again, signed_again_without_the_key, signed_again_with_the_key,
    a_fork_behind_a_cosigned_checkpoint, no_checkpoint_left, the_edge, the_size, a_node, a_chain, the_newest_note,
    an_earlier_note, a_column_of_a_checkpoint, no_cosignature,
)  # fmt: skip
