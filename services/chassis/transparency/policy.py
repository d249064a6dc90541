"""Policies: the log and the witnesses that must have signed a checkpoint (C2SP tlog-policy).

Lines are `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME all|any|NUMBER MEMBER...` and one
`quorum NAME|none`; a # begins a comment.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import COSIGNATURE, ED25519, Verifier
from services.chassis.transparency.note import MalformedNoteError, Note, NoteError, UnknownKeyError

NONE = "none"


class QuorumError(NoteError):
    """The log signed a checkpoint, but too few witnesses cosigned it."""


class Checked(msgspec.Struct, frozen=True):
    """A checkpoint that fulfils a policy: the witnesses that cosigned it, and their first and last second."""

    checkpoint: Checkpoint
    cosigned_by: tuple[str, ...] = ()
    oldest: int | None = None
    newest: int | None = None


class Witness(msgspec.Struct, frozen=True):
    """A witness: the policy's name for it, its key, and where it is reached."""

    name: str
    verifier: Verifier
    url: str | None = None


class Group(msgspec.Struct, frozen=True):
    """A number of members, witnesses or earlier groups, of which so many are needed."""

    needed: int
    members: tuple[str, ...]


class Log(NamedTuple):
    """A log's key, and where the log is read."""

    verifier: Verifier
    url: str | None


class Policy(msgspec.Struct, frozen=True):
    """A policy. Any one of the logs must have signed; a quorum of None needs no witness."""

    logs: tuple[Log, ...]
    witnesses: Mapping[str, Witness]
    groups: Mapping[str, Group]
    quorum: str | None

    @classmethod
    def parse(cls, text: str) -> "Policy":
        """Return the policy of a file's text. Raises ValueError, whose message names the line."""
        reading = _Reading()
        for number, line in enumerate(text.splitlines(), 1):
            fields = line.partition("#")[0].split()
            try:
                if fields:
                    reading.add(fields)
            except ValueError as error:
                raise ValueError(f"line {number} of the policy: {error}") from None
        return reading.policy()

    def check(self, note: bytes) -> Checked:
        """Return the checkpoint of a note that fulfils the policy. Raises NoteError."""
        opened = Note.parse(note)
        try:
            checkpoint = Checkpoint.parse(opened.text)
        except ValueError as error:
            raise MalformedNoteError(str(error)) from None
        self._check_log(opened, checkpoint.origin)
        times = self._times(opened)
        if self.quorum is not None and not self._has(self.quorum, times):
            signed = ", ".join(times) or "none"
            raise QuorumError(f"the quorum {self.quorum} is not reached: of its witnesses cosigned {signed}")
        return Checked(checkpoint, tuple(times), min(times.values(), default=None), max(times.values(), default=None))

    def _check_log(self, note: Note, origin: str) -> None:
        known = [log.verifier for log in self.logs if log.verifier.name == origin]
        signed = [key for key in known if any(map(key.made, note.signatures))]
        if not signed:
            raise UnknownKeyError(f"no log of the policy signed the checkpoint of {origin!r}")
        for key in signed:
            key.check(note)

    def _times(self, note: Note) -> dict[str, int]:
        times = {}
        for name, witness in self.witnesses.items():
            if any(map(witness.verifier.made, note.signatures)):
                times[name] = witness.verifier.check(note)
        return times

    def _has(self, name: str, times: Mapping[str, int]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in times
        return sum(self._has(member, times) for member in group.members) >= group.needed


class _Reading:
    """A policy while its lines are read."""

    def __init__(self) -> None:
        self._logs: list[Log] = []
        self._witnesses: dict[str, Witness] = {}
        self._groups: dict[str, Group] = {}
        self._quorum = ""

    def add(self, fields: list[str]) -> None:
        match fields:
            case ["log", vkey, *url] if len(url) <= 1:
                self._logs.append(Log(_verifier(vkey, ED25519), url[0] if url else None))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._check_new(name)
                self._witnesses[name] = Witness(name, _verifier(vkey, COSIGNATURE), *url)
            case ["group", name, needed, *members] if members:
                self._check_new(name)
                self._groups[name] = self._group(needed, members)
            case ["quorum", name] if not self._quorum:
                self._check_known(name, NONE)
                self._quorum = name
            case _:
                raise ValueError(f"not a line of a policy, or a second quorum: {' '.join(fields)!r}")

    def policy(self) -> Policy:
        if not self._logs or not self._quorum:
            raise ValueError("the policy needs at least one log, and one quorum, which may be none")
        quorum = None if self._quorum == NONE else self._quorum
        return Policy(tuple(self._logs), self._witnesses, self._groups, quorum)

    def _group(self, needed: str, members: list[str]) -> Group:
        for member in members:
            self._check_known(member)
        if len({*members}) != len(members):
            raise ValueError("a member is in the group twice")
        number = {"any": 1, "all": len(members)}.get(needed) or (int(needed) if needed.isdecimal() else 0)
        if not 1 <= number <= len(members):
            raise ValueError(f"the group needs any, all, or from 1 to {len(members)} of its members, not {needed!r}")
        return Group(number, tuple(members))

    def _check_new(self, name: str) -> None:
        if name == NONE or name in self._witnesses or name in self._groups:
            raise ValueError(f"the name {name!r} is used already")

    def _check_known(self, name: str, *others: str) -> None:
        if name not in self._witnesses and name not in self._groups and name not in others:
            raise ValueError(f"no witness or group before it is called {name!r}")


def _verifier(vkey: str, alg: int) -> Verifier:
    verifier = Verifier.parse(vkey)
    if verifier.alg != alg:
        raise ValueError(f"the key of {verifier.name} has algorithm {verifier.alg}, not {alg}")
    return verifier
