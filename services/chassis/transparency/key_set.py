"""Key set of one log and its witness: two private keys, and what each side must know of the other.

Files in a folder, made if they are missing, keys never overwritten: `log.key`, `witness.key`, `logs` (the log's public
key, for the witness), `policy` (both public keys and the witness's address, for the log and everybody who verifies it).
"""

from pathlib import Path
from typing import NamedTuple

from services.chassis.transparency import key_file

LOG_KEY, WITNESS_KEY, LOGS, POLICY = FILES = ("log.key", "witness.key", "logs", "policy")
WITNESS = "eventline.local/witness"  # the name of the witness that is set up beside the log


class Parties(NamedTuple):
    """The names of both keys, and the address at which the log reaches the witness."""

    origin: str
    witness: str
    url: str


def ensure(folder: Path, parties: Parties) -> None:
    """Make the keys that are missing, and write what is public. Raises KeyFileError: a key of another name is there."""
    names = {LOG_KEY: parties.origin, WITNESS_KEY: parties.witness}
    for file, name in names.items():
        if not (folder / file).exists():
            key_file.make(folder / file, name)
    log, witness = (key_file.read(folder / file, name) for file, name in names.items())
    (folder / LOGS).write_text(f"{log.vkey}\n")
    (folder / POLICY).write_text(policy(log.vkey, witness.cosignature_vkey, parties.url))


def policy(log: str, witness: str, url: str) -> str:
    """Return a policy (C2SP tlog-policy): one log, whose checkpoints count with one witness's cosignature."""
    return f"log {log}\nwitness own {witness} {url}\nquorum own\n"
