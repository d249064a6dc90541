"""Tamperings of an export, each with the finding that it must lead to."""

import base64
import re
from collections.abc import Callable
from random import Random

import msgspec
from msgspec.structs import replace

from services.audit.domain import Entry, encode, flags_of
from services.audit.export.layout import Layout, SavedNote, decoded, encoded
from services.chassis.transparency.tiles import TilePath, bundle, resources, unbundle
from services.chassis.transparency.tree import HASH_BYTES, TILE_WIDTH, leaf_hash
from tests.support.signed_audit_log import OTHER, a_note
from tests.support.tamperings.notes import broken_signature, changed_note, flipped, other_bits
from tests.support.tamperings.sample_log import Expected, SampleLog

Tampering = Callable[[Random, SampleLog, Layout], Expected]
RECORDED_AT = re.compile(rb'"recorded_at":\d+')  # no hash covers it


def bundles(sample: SampleLog) -> list[TilePath]:
    """Return the bundles of the signed entries."""
    return [path for path in resources(sample.signed) if path.level is None]


def leaf_tile(path: TilePath) -> TilePath:
    """Return the tile with the leaves of a bundle."""
    return TilePath(0, path.index, path.width)


def a_bundle_or_tile(rng: Random, sample: SampleLog) -> TilePath:
    """Return one of them, of the entries or of their leaves."""
    path = rng.choice(bundles(sample))
    return rng.choice((path, leaf_tile(path)))


def pieces(path: TilePath, content: bytes) -> list[bytes]:
    """Return the entries of a bundle, or the hashes of a tile."""
    if path.level is None:
        return unbundle(content)
    return [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]


def joined(path: TilePath, parts: list[bytes]) -> bytes:
    """Return a bundle or a tile."""
    return bundle(parts) if path.level is None else b"".join(parts)


def lines_of(layout: Layout, path: TilePath) -> list[bytes]:
    """Return the lines of the records of a bundle, with their ends."""
    return layout.records(path).read_bytes().splitlines(keepends=True)


def write_lines(layout: Layout, path: TilePath, lines: list[bytes]) -> None:
    """Replace the records of a bundle."""
    layout.records(path).parent.mkdir(exist_ok=True)
    layout.records(path).write_bytes(b"".join(lines))


def a_bit_of_a_bundle_or_leaf_tile(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = a_bundle_or_tile(rng, sample)
    file = layout.resource(path)
    file.write_bytes(flipped(file.read_bytes(), rng))
    return Expected(1, rf"changed: .*{re.escape(path.text())}")


def a_bit_of_a_record(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = rng.choice(bundles(sample))
    content = layout.records(path).read_bytes()
    at, unprotected = rng.randrange(len(content)), [span.span() for span in RECORDED_AT.finditer(content)]
    while any(start <= at < end for start, end in unprotected):
        at = rng.randrange(len(content))
    number = content[:at].count(b"\n")
    changed = content[:at] + flipped(content[at : at + 1], rng) + content[at + 1 :]
    layout.records(path).write_bytes(changed)
    return Expected(1, rf"changed: .*(line ({number + 1}|{number + 2}): |at position {path.first + number}: )")


def a_bit_of_an_upper_tile(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    upper = [path for path in resources(sample.signed) if path.level]
    if not upper:
        return a_bit_of_a_bundle_or_leaf_tile(rng, sample, layout)
    file = layout.resource(upper[0])
    file.write_bytes(flipped(file.read_bytes(), rng))
    return Expected(1, "node 0 on tile level 1 of the tree is ")


def a_file_removed(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = rng.choice(list(resources(sample.signed)))
    layout.resource(path).unlink()
    return Expected(1, "node 0 on tile level 1 of the tree is missing" if path.level else f"{path.text()} is missing")


def records_removed(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = rng.choice(bundles(sample))
    layout.records(path).unlink()
    if path != bundles(sample)[-1]:
        return Expected(1, rf"position {path.first} is missing before it")
    return Expected(3, rf"it has {path.first} entries, but its checkpoint covers")


def a_line_removed(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = rng.choice(bundles(sample))
    lines = lines_of(layout, path)
    at = rng.randrange(len(lines))
    del lines[at]
    write_lines(layout, path, lines)
    if path.first + at < sample.signed - 1:
        return Expected(1, rf"position {path.first + at} is missing before it")
    return Expected(3, rf"it has {sample.signed - 1:,} entries, but its checkpoint covers {sample.signed:,}")


def a_line_twice(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = rng.choice(bundles(sample))
    lines = lines_of(layout, path)
    at = rng.randrange(len(lines))
    write_lines(layout, path, [*lines[: at + 1], *lines[at:]])
    if at == len(lines) - 1:
        return Expected(1, rf"line {len(lines) + 1}: it has more lines than ")
    return Expected(1, rf"at position {path.first + at}: position {path.first + at + 1} is missing")


def one_too_many(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = a_bundle_or_tile(rng, sample)
    file = layout.resource(path)
    parts = pieces(path, file.read_bytes())
    file.write_bytes(joined(path, [*parts, rng.choice(parts)]))
    return Expected(1, rf"{re.escape(path.text())} has \d+ (entries|bytes) instead of ")


def two_swapped(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = a_bundle_or_tile(rng, sample)
    file = layout.resource(path)
    parts = pieces(path, file.read_bytes())
    first, second = sorted(rng.sample(range(len(parts)), 2))
    parts[first], parts[second] = parts[second], parts[first]
    file.write_bytes(joined(path, parts))
    return Expected(1, rf"at position {path.first + first}: .*{re.escape(path.text())} gives")


def two_lines_swapped(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = rng.choice(bundles(sample))
    lines = lines_of(layout, path)
    first, second = sorted(rng.sample(range(len(lines)), 2))
    lines[first], lines[second] = lines[second], lines[first]
    write_lines(layout, path, lines)
    return Expected(1, rf"position {path.first + first} is missing before it")


def a_file_cut(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = a_bundle_or_tile(rng, sample)
    file = layout.resource(path)
    content = file.read_bytes()
    file.write_bytes(content[: rng.randrange(len(content))])
    return Expected(1, rf"changed: {re.escape(path.text())}[: ]")


def a_line_cut(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = rng.choice(bundles(sample))
    lines = lines_of(layout, path)
    at = rng.randrange(len(lines))
    lines[at] = lines[at][: rng.randrange(1, len(lines[at]))]
    write_lines(layout, path, lines)
    return Expected(1, rf"line {at + 1}: ")


def other_base64(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = rng.choice(bundles(sample))
    lines = lines_of(layout, path)
    at = rng.randrange(len(lines))
    chain = base64.b64encode(decoded(lines[at], Entry).chain)
    lines[at] = lines[at].replace(chain, other_bits(chain.decode()).encode())
    write_lines(layout, path, lines)
    return Expected(1, rf"line {at + 1}: it is not the only JSON")


def record_leaf_bundle_and_tile(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    path = rng.choice(bundles(sample))
    lines, tile = lines_of(layout, path), leaf_tile(path)
    at = rng.randrange(len(lines))
    entry, value = decoded(lines[at], Entry), rng.randbytes(9)
    entry = replace(entry, value=value, flags=flags_of(entry.key, value, entry.headers))
    entry_bytes = unbundle(layout.resource(path).read_bytes())
    entry_bytes[at] = encode(entry, entry_bytes[at][-HASH_BYTES:])
    hashes = pieces(tile, layout.resource(tile).read_bytes())
    hashes[at] = leaf_hash(entry_bytes[at])
    lines[at] = encoded(replace(entry, leaf=hashes[at]))
    write_lines(layout, path, lines)
    layout.resource(path).write_bytes(bundle(entry_bytes))
    layout.resource(tile).write_bytes(b"".join(hashes))
    return Expected(1, rf"at position {path.first + at}: chain is ")


def the_checkpoint(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    del sample
    note, expected = changed_note(rng, layout.checkpoint.read_bytes())
    layout.checkpoint.write_bytes(note)
    return expected


def no_checkpoint(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    del rng, sample
    layout.checkpoint.unlink()
    return Expected(2, "it has no checkpoint")


def an_older_export(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    """Cut all files to an earlier checkpoint, which is genuine; a later one is still stored."""
    saved = rng.choice(notes_of(layout)[:-1])
    assert saved.size < TILE_WIDTH
    whole = bundles(sample)[0]
    part = TilePath(None, 0, saved.size)
    write_lines(layout, part, lines_of(layout, whole)[: saved.size])
    for path, shorter in ((whole, part), (leaf_tile(whole), leaf_tile(part))):
        parts = pieces(path, layout.resource(path).read_bytes())
        layout.resource(shorter).parent.mkdir(exist_ok=True)
        layout.resource(shorter).write_bytes(joined(path, parts[: saved.size]))
    layout.checkpoint.write_bytes(saved.note.encode())
    return Expected(3, rf"it has a checkpoint of \d+ entries, but the newest one covers {saved.size}")


def notes_of(layout: Layout) -> list[SavedNote]:
    """Return the stored checkpoints."""
    return [msgspec.json.decode(line, type=SavedNote) for line in layout.checkpoints.read_bytes().splitlines()]


def an_earlier_checkpoint(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    saved = notes_of(layout)
    at, kind = rng.randrange(len(saved) - 1), rng.randrange(4)
    one, root = saved[at], rng.randbytes(32)
    replaced, expected = [
        (SavedNote(one.size, broken_signature(rng, one.note.encode()).decode()), Expected(1, "a checkpoint has been")),
        (
            SavedNote(one.size + 1, one.note),
            Expected(1, "entries has a note for "),
        ),
        (SavedNote(one.size, a_note(one.size, root, OTHER).decode()), Expected(4, rf"its first {one.size} entries")),
        (SavedNote(sample.signed + 9, a_note(sample.signed + 9, root).decode()), Expected(3, "the newest one covers")),
    ][kind]
    saved[at] = replaced
    layout.checkpoints.write_bytes(b"".join(map(encoded, saved)))
    return expected


TAMPERINGS: tuple[Tampering, ...] = (
    a_bit_of_a_bundle_or_leaf_tile, a_bit_of_a_record, a_bit_of_an_upper_tile, a_file_removed, records_removed,
    a_line_removed, a_line_twice, one_too_many, two_swapped, two_lines_swapped, a_file_cut, a_line_cut, other_base64,
    record_leaf_bundle_and_tile, the_checkpoint, no_checkpoint, an_older_export, an_earlier_checkpoint,
)  # fmt: skip
