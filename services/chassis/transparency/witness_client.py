"""Client of a witness (C2SP tlog-witness): cosignatures for checkpoints, and the newest one that it has seen."""

import re
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import urlsplit

from services.chassis.net.http_exchange import Answer, ExchangeError, Limits, Request, exchange
from services.chassis.transparency.canonical_base64 import encoded
from services.chassis.transparency.keys import Verifier
from services.chassis.transparency.note import Note, NoteError

TIMEOUT_S = 5.0
LARGEST_ANSWER = 64 * 1024  # bytes: a note with more signatures than any witness gives
SIZE_TYPE = "text/x.tlog.size"
OK, NOT_FOUND, CONFLICT = 200, 404, 409
_SIZE = re.compile(r"(0|[1-9]\d{0,18})\n", re.ASCII)


class WitnessBehindError(Exception):
    """The witness has another size than the proof starts from; `size` is what it has."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the witness has size {size}")
        self.size = size


class WitnessRefusedError(Exception):
    """The witness answered, but with no cosignature: `status` 404 or 403 for an unknown log or key, 422 for a fork."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"the witness answered {status}: {text}")
        self.status = status
        self.text = text


class WitnessUnreachableError(ConnectionError):
    """The witness did not answer in time."""


class WitnessClient:
    """Client of one witness at a URL. It holds no connection; `timeout_s` is for a whole request."""

    def __init__(self, url: str, verifier: Verifier, timeout_s: float = TIMEOUT_S) -> None:
        self._address = urlsplit(url)
        if self._address.scheme not in {"http", "https"} or not self._address.hostname:
            raise ValueError(f"not the URL of a witness: {url!r}")
        self._verifier = verifier
        self._timeout_s = timeout_s

    def add(self, old: int, proof: Sequence[bytes], note: bytes) -> list[str]:
        """Return the witness's cosignatures of a checkpoint, as lines with their end.

        `old` is the size that the witness has, `proof` the consistency proof from there.
        Raises WitnessBehindError, WitnessRefusedError, WitnessUnreachableError.
        """
        lines = "".join(f"{line}\n" for line in (f"old {old}", *map(encoded, proof), ""))
        answer = self._ask("POST", "/add-checkpoint", lines.encode() + note)
        if answer.status == CONFLICT and answer.content_type == SIZE_TYPE:
            raise WitnessBehindError(_size(answer))
        if answer.status != OK:
            raise WitnessRefusedError(answer.status, _shown(answer.body))
        return self._cosignatures(note, answer)

    def latest(self, origin: str) -> bytes | None:
        """Return the newest note of a log that the witness cosigned, None without one.

        None is also what a witness without this part of the specification answers. Raises as `add`.
        """
        answer = self._ask("GET", f"/{sha256(origin.encode()).hexdigest()}/checkpoint")
        if answer.status == NOT_FOUND:
            return None
        if answer.status != OK:
            raise WitnessRefusedError(answer.status, _shown(answer.body))
        try:
            self._verifier.check(Note.parse(answer.body))
        except NoteError as error:
            raise WitnessRefusedError(answer.status, f"its newest note is not cosigned: {error}") from None
        return answer.body

    def _cosignatures(self, note: bytes, answer: Answer) -> list[str]:
        try:
            text = Note.parse(note).text
            cosigned = Note(text, ()).with_lines(answer.body.decode().splitlines())
            self._verifier.check(cosigned)
        except (NoteError, UnicodeDecodeError) as error:
            raise WitnessRefusedError(answer.status, f"without a valid cosignature: {error}") from None
        return [each.line() for each in cosigned.signatures if self._verifier.made(each)]

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        request = Request(self._address.path.rstrip("/") + path, method, body)
        try:
            return exchange(self._address, request, Limits(self._timeout_s, LARGEST_ANSWER))
        except ExchangeError as error:
            raise WitnessUnreachableError(f"the witness {self._address.netloc} does not answer: {error}") from error


def _size(answer: Answer) -> int:
    found = _SIZE.fullmatch(answer.body.decode("ascii", "replace"))
    if not found:
        raise WitnessRefusedError(answer.status, f"with no size: {_shown(answer.body)}")
    return int(found[1])


def _shown(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace").strip()
