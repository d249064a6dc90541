"""Addresses that a service listens on; one that is taken is named with the setting that changes it."""

import errno
import socket


class AddressError(Exception):
    """An address cannot be listened on; the message names the setting to change."""


def bind(host: str, port: int, setting: str) -> socket.socket:
    """Return a bound socket that does not listen yet. Raises AddressError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(
        family, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # asyncio sets TCP_NODELAY only where the protocol is TCP
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise explained(error, host, port, setting) from error
    return bound


def explained(error: OSError, host: str, port: int, setting: str) -> AddressError:
    """Return an error that names the next step for an unavailable address."""
    reason = "another process listens there" if error.errno == errno.EADDRINUSE else error.strerror
    return AddressError(f"cannot listen on {host}:{port}: {reason}; choose another port with {setting}")
