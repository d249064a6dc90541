"""Ids of this process's making."""

import socket

import uuid_utils

LONGEST_HOLDER = 64  # what the lease's row has room for


def new_id() -> str:
    """Return a fresh UUIDv7 as text (RFC 9562): sorted by time, so that indexes grow at their end."""
    return str(uuid_utils.uuid7())


def new_holder() -> str:
    """Return a name for who may hold a lease: this machine, and one of its own among all that ran here."""
    return f"{socket.gethostname()}-{uuid_utils.uuid4()}"[-LONGEST_HOLDER:]
