"""Keys of logs and witnesses: Ed25519, for signatures of notes (algorithm 1) and cosignatures (algorithm 4).

Texts are those of golang.org/x/mod/sumdb/note: a verifier key is public, a `PRIVATE+KEY+` line is secret. A
cosignature (C2SP tlog-cosignature) covers the time at which a witness saw the checkpoint.
"""

import hashlib
import secrets
import struct
from collections.abc import Iterable

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.chassis.transparency.canonical_base64 import decoded, encoded
from services.chassis.transparency.note import (
    KEY_ID_BYTES,
    BadSignatureError,
    Note,
    Signature,
    UnknownKeyError,
    check_name,
)

ED25519, COSIGNATURE = 1, 4
ALGORITHMS = (ED25519, COSIGNATURE)
KEY_BYTES = SEED_BYTES = 32
SIGNATURE_BYTES = 64
PRIVATE = "PRIVATE+KEY+"
NO_TIME = 0
_TIME = struct.Struct(">Q")


class Verifier(msgspec.Struct, frozen=True):
    """A public key with its name and algorithm."""

    name: str
    alg: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the key in a signature."""
        return key_id(self.name, self.alg, self.public)

    @property
    def vkey(self) -> str:
        """The key as text: `name+id+base64`."""
        return f"{self.name}+{self.key_id.hex()}+{encoded(bytes([self.alg]) + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """Return the verifier of a key's text. Raises ValueError."""
        if vkey.startswith(PRIVATE):
            raise ValueError("this is a secret key: give the verifier key that belongs to it")
        name, digest, content = _parts(vkey.strip())
        verifier = cls(name, content[0], content[1:])
        if digest != verifier.key_id.hex():
            raise ValueError(f"not a verifier key: its id is {digest!r}, but its bytes give {verifier.key_id.hex()}")
        return verifier

    def verify(self, text: str, signature: Signature) -> int:
        """Return the time in seconds that a cosignature covers, NO_TIME for a log's. Raises BadSignatureError."""
        content, seconds = signature.content, NO_TIME
        if self.alg == COSIGNATURE:
            if len(content) != _TIME.size + SIGNATURE_BYTES:
                raise BadSignatureError(f"the cosignature of {self.name} has {len(content)} bytes")
            seconds, content = _TIME.unpack_from(content)[0], content[_TIME.size :]
            text = _cosigned(text, seconds)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(content, text.encode())
        except InvalidSignature:
            raise BadSignatureError(f"the signature of {self.name} does not fit the text") from None
        return seconds

    def made(self, signature: Signature) -> bool:
        """Return True if a signature names this key."""
        return (signature.name, signature.key_id) == (self.name, self.key_id)

    def check(self, note: Note) -> int:
        """Verify a note's signatures by this key: return the newest time. Raises UnknownKeyError, BadSignatureError."""
        own = [signature for signature in note.signatures if self.made(signature)]
        if not own:
            raise UnknownKeyError(f"the note has no signature of {self.name} with key id {self.key_id.hex()}")
        return max(self.verify(note.text, signature) for signature in own)


class Signer(msgspec.Struct, frozen=True):
    """A secret key: it signs as a log, and cosigns as a witness."""

    name: str
    seed: bytes

    def __repr__(self) -> str:
        """Return the name alone: the seed is secret."""
        return f"Signer({self.name!r})"

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """Return the signer of a `PRIVATE+KEY+` line. Raises ValueError, whose message holds nothing of the key."""
        if not text.startswith(PRIVATE):
            raise ValueError(f"not a secret key: it does not begin with {PRIVATE}")
        try:
            name, digest, content = _parts(text.strip().removeprefix(PRIVATE))
        except ValueError:
            raise ValueError(f"not a secret key: after {PRIVATE} it needs name+id+base64") from None
        signer = cls(name, content[1:])
        if content[0] != ED25519 or digest != signer.verifier.key_id.hex():
            raise ValueError("not a secret key of Ed25519, or its id is that of another key")
        return signer

    @property
    def text(self) -> str:
        """The secret line."""
        return f"{PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{encoded(bytes([ED25519]) + self.seed)}"

    @property
    def verifier(self) -> Verifier:
        """The public key of what it signs as a log."""
        return Verifier(self.name, ED25519, self._key().public_key().public_bytes_raw())

    @property
    def cosignature_verifier(self) -> Verifier:
        """The public key of what it cosigns as a witness."""
        return Verifier(self.name, COSIGNATURE, self.verifier.public)

    @property
    def vkey(self) -> str:
        """The text of its public key as a log."""
        return self.verifier.vkey

    @property
    def cosignature_vkey(self) -> str:
        """The text of its public key as a witness."""
        return self.cosignature_verifier.vkey

    def sign(self, text: str) -> str:
        """Return a log's signature of a text as a line, with its end. The same text gives the same line."""
        return Signature(self.name, self.verifier.key_id, self._key().sign(text.encode())).line()

    def cosign(self, text: str, seconds: int) -> str:
        """Return a witness's signature of a text at a time in seconds since 1970, as a line with its end."""
        content = _TIME.pack(seconds) + self._key().sign(_cosigned(text, seconds).encode())
        return Signature(self.name, self.cosignature_verifier.key_id, content).line()

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def key_id(name: str, alg: int, public: bytes) -> bytes:
    """Return the id of a key: it depends on name and algorithm too."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([alg]) + public).digest()[:KEY_ID_BYTES]


def new_key(name: str) -> str:
    """Return a new secret key as its line. Raises ValueError for a name that no key can have."""
    check_name(name)
    return Signer(name, secrets.token_bytes(SEED_BYTES)).text


def signed(text: str, signers: Iterable[Signer]) -> bytes:
    """Return a note of a text with a log's signatures."""
    return f"{text}\n{''.join(signer.sign(text) for signer in signers)}".encode()


def _cosigned(text: str, seconds: int) -> str:
    return f"cosignature/v1\ntime {seconds}\n{text}"


def _parts(text: str) -> tuple[str, str, bytes]:
    # The base64 may have a + as well.
    match text.split("+", 2):
        case [name, digest, content]:
            check_name(name)
            key = decoded(content)
            if len(key) != 1 + KEY_BYTES or key[0] not in ALGORITHMS:
                raise ValueError(f"not a key of Ed25519: {name} has {len(key)} bytes of algorithm {key[:1].hex()}")
            return name, digest, key
    raise ValueError(f"not a key: it needs name+id+base64, not {text!r}")
