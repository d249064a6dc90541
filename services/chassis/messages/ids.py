"""Generates ids of events, requests and lease holders."""

import socket

import uuid_utils

LONGEST_HOLDER = 64  # the width of the lease's column


def new_id() -> str:
    """Return a fresh UUIDv7 as text (RFC 9562): sorted by time, so that indexes grow at their end."""
    return str(uuid_utils.uuid7())


def new_holder() -> str:
    """Return a unique name of a lease holder: the host name and a UUID."""
    return f"{socket.gethostname()}-{uuid_utils.uuid4()}"[-LONGEST_HOLDER:]
