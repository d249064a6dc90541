"""A TCP proxy that a test can cut at a chosen moment, in front of a server that knows nothing of it."""

import contextlib
import socket
import threading

HOST = "127.0.0.1"
CHUNK = 65536


class Proxy:
    """Passes everything on, on a port of its own or a given one, until it is closed."""

    def __init__(self, target: int, port: int = 0) -> None:
        self._target = target
        self._listening = socket.create_server((HOST, port))
        self.port: int = self._listening.getsockname()[1]
        self.cuts = 0
        self._word: bytes | None = None
        self._answered = False
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut_at(self, word: bytes, *, answered: bool) -> None:
        """Cut the connection of the next client that sends a word: before the server gets it, or has answered it."""
        self._word, self._answered = word, answered

    def close(self) -> None:
        """End every connection and free the port."""
        self._listening.shutdown(socket.SHUT_RDWR)
        for one in self._open:
            _end(one)
        for thread in self._threads:
            thread.join()
        for one in [self._listening, *self._open]:
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client = self._listening.accept()[0]
                server = socket.create_connection((HOST, self._target))
                self._open += [client, server]
                _Pair(self, client, server).start(self._threads)

    def hears(self, piece: bytes) -> bool:
        """Return whether a client's words are where to cut; once."""
        if self._word is None or self._word not in piece:
            return False
        self._word = None
        self.cuts += 1
        return True

    @property
    def waits_for_the_answer(self) -> bool:
        """True if the server gets the word before the cut."""
        return self._answered


class _Pair:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._cut = threading.Event()

    def start(self, threads: list[threading.Thread]) -> None:
        for pump in (self._up, self._down):
            threads.append(threading.Thread(target=pump, daemon=True))
            threads[-1].start()

    def _up(self) -> None:
        with contextlib.suppress(OSError):
            while piece := self._client.recv(CHUNK):
                if self._proxy.hears(piece):
                    self._cut.set()
                    if not self._proxy.waits_for_the_answer:
                        break
                self._server.sendall(piece)
        self._end()

    def _down(self) -> None:
        with contextlib.suppress(OSError):
            while piece := self._server.recv(CHUNK):
                if self._cut.is_set():
                    break
                self._client.sendall(piece)
        self._end()

    def _end(self) -> None:
        _end(self._client)
        _end(self._server)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
