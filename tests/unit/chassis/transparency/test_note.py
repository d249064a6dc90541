"""Signed notes: those of golang.org/x/mod are read, signed and verified, and every other byte is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer, Verifier
from services.chassis.transparency.note import (
    BadSignatureError,
    MalformedNoteError,
    Note,
    NoteError,
    Signature,
    UnknownKeyError,
    check_name,
)
from services.chassis.transparency.tree import EMPTY_ROOT

# The example of golang.org/x/mod/sumdb/note.
SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
GOLDEN = f"{TEXT}\n{LINE}".encode()

LOG = Signer("eventline.local/audit", bytes(32))
WITNESS = Signer("witness.example/w1", b"\x01" * 32)
CHECKPOINT = Checkpoint("eventline.local/audit", 0, EMPTY_ROOT)


def test_the_golden_note_is_signed_and_verified() -> None:
    signer = Signer.parse(SKEY)
    assert (signer.vkey, signer.text, signer.sign(TEXT)) == (VKEY, SKEY, LINE)
    assert keys.signed(TEXT, [signer]) == GOLDEN
    note = Note.parse(GOLDEN)
    assert note.text == TEXT
    assert bytes(note) == GOLDEN
    assert Verifier.parse(VKEY).check(note) == keys.NO_TIME


def test_every_flipped_bit_of_a_note_is_found() -> None:
    note = keys.signed(CHECKPOINT.text(), [LOG])
    for at in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[at] ^= 1 << bit
            with pytest.raises(NoteError):
                LOG.verifier.check(Note.parse(bytes(changed)))


def test_a_cosignature_covers_its_time() -> None:
    note = Note.parse(keys.signed(CHECKPOINT.text(), [LOG])).with_lines([WITNESS.cosign(CHECKPOINT.text(), 1_700_000)])
    assert Verifier.parse(WITNESS.cosignature_vkey).check(note) == 1_700_000
    cosignature = note.signatures[1]
    changed = Signature(cosignature.name, cosignature.key_id, b"\x01" + cosignature.content[1:])
    with pytest.raises(BadSignatureError, match=r"witness\.example/w1"):
        WITNESS.cosignature_verifier.verify(note.text, changed)
    with pytest.raises(BadSignatureError, match="bytes"):
        WITNESS.cosignature_verifier.verify(note.text, Signature(cosignature.name, cosignature.key_id, b"short"))


def test_a_repeated_line_is_added_once() -> None:
    note = Note.parse(keys.signed(CHECKPOINT.text(), [LOG]))
    assert note.with_lines([LOG.sign(CHECKPOINT.text())]) == note


def test_one_key_has_an_id_for_each_algorithm() -> None:
    assert LOG.verifier.key_id != LOG.cosignature_verifier.key_id
    with pytest.raises(UnknownKeyError, match="no signature"):
        LOG.cosignature_verifier.check(Note.parse(keys.signed(TEXT, [LOG])))


def test_a_new_key_is_another_each_time_and_is_read_back() -> None:
    first, second = keys.new_key("a.example/log"), keys.new_key("a.example/log")
    assert first != second
    assert Signer.parse(first + "\n").text == first
    with pytest.raises(ValueError, match="key's name"):
        keys.new_key("two words")


def test_a_signer_does_not_show_its_seed() -> None:
    assert repr(LOG) == "Signer('eventline.local/audit')"


@pytest.mark.parametrize(
    "text",
    [
        VKEY.replace("c74f20a3", "c74f20a4"), VKEY.replace("c74f20a3", "C74F20A3"), VKEY.replace("Peter", "peter"),
        VKEY[:-1], VKEY[:-1] + "X", "PeterNeumann+c74f20a3", "", SKEY, "a b+c74f20a3+AQ==",
        "PeterNeumann+c74f20a3+BxpcXQcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)  # fmt: skip
def test_another_text_is_no_verifier_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"key|base64") as refused:
        Verifier.parse(text)
    assert "AYEKFALV" not in str(refused.value)


@pytest.mark.parametrize(
    "text", [SKEY[:-4] + "AAAA", SKEY[:-1], SKEY[12:], "", SKEY.replace("Peter", "peter"), "x" + SKEY]
)
def test_another_text_is_no_secret_key_and_is_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="not a secret key") as refused:
        Signer.parse(text)
    assert "AYEKFALV" not in str(refused.value)


MALFORMED = {
    "empty": b"",
    "no signature": TEXT.encode(),
    "no last line's end": GOLDEN[:-1],
    "no empty line": GOLDEN.replace(b"\n\n", b"\n"),
    "carriage return": GOLDEN.replace(b"\n\n", b"\r\n\n"),
    "not UTF-8": b"\xff" + GOLDEN,
    "a hyphen for the dash": GOLDEN.replace("—".encode(), b"-"),
    "no signature's bytes": GOLDEN.replace(LINE.split(" ")[2].encode(), b"x08gow==\n"),
    "an id alone": TEXT.encode() + "\n— a x08gow==\n".encode(),
    "no base64": TEXT.encode() + "\n— a ?\n".encode(),
    "no name": TEXT.encode() + "\n—  x08go/ZJkuBS\n".encode(),
    "no canonical base64": GOLDEN.replace(b"nAM=", b"nAN="),
    "a line after": GOLDEN + b"\n",
    "too many": TEXT.encode() + b"\n" + LINE.encode() * 101,
    "too large": TEXT.encode() * 11_000 + b"\n" + LINE.encode(),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_other_bytes_are_no_note(data: bytes) -> None:
    with pytest.raises(MalformedNoteError):
        Note.parse(data)


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\u00a0b", "a\u0085b", "a\u2028b", "a\x00", "a\nb", "a/", "é" * 128, "\ud800"]
)
def test_a_name_that_no_key_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="key's name"):
        check_name(name)


@pytest.mark.parametrize("name", ["eventline.local/audit", "a" * 255, "é" * 127, "a:1"])
def test_a_name_that_a_key_can_have_is_accepted(name: str) -> None:
    check_name(name)


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(st.sampled_from(["a", "b c"])))
def test_a_checkpoint_is_read_back(size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint("a.example", size, root, tuple(extensions))
    assert Checkpoint.parse(checkpoint.text()) == checkpoint


def test_a_checkpoint_has_three_lines() -> None:
    assert CHECKPOINT.text() == "eventline.local/audit\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


@pytest.mark.parametrize(
    "text",
    [
        "", "a\n1\n", "\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "a\n1\nAAAA\n", "a\n1\n=\n",
        "a\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "a\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n",
        "a\n9223372036854775808\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",
    ],
)  # fmt: skip
def test_another_text_is_no_checkpoint(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a checkpoint|base64"):
        Checkpoint.parse(text)
