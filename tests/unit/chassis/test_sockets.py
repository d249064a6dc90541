"""Options of the listening sockets."""

import socket

from services.chassis.net.sockets import bind


def test_a_bound_socket_reports_that_it_is_tcp_so_that_asyncio_sends_answers_at_once() -> None:
    """Otherwise the second part of an answer waits, up to 40 ms, until the client has acknowledged the first."""
    with bind("127.0.0.1", 0, "APP_HTTP_PORT") as bound:
        assert bound.proto == socket.IPPROTO_TCP
