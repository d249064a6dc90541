"""Gates between a service and the servers that it needs: while one is shut, connections stay, and nothing passes."""

import asyncio
import contextlib
import threading
from collections.abc import Mapping, Sequence

from services.workbench.local.ports import HOST

CHUNK = 65536


class Gate:
    """A TCP proxy on a port, in a thread of its own. Bytes under way when it is shut arrive once it is open."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, HOST, port))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def shut(self) -> None:
        """Let nothing pass from now on."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def open(self) -> None:
        """Let everything pass."""
        self._loop.call_soon_threadsafe(self._open.set)

    def close(self) -> None:
        """End every connection and free the port."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.CancelledError):
            await self._open.wait()
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
            with contextlib.closing(far_writer):
                ways = [self._pass(reader, far_writer), self._pass(far_reader, writer)]
                _, rest = await asyncio.wait(map(asyncio.ensure_future, ways), return_when=asyncio.FIRST_COMPLETED)
                for way in rest:
                    way.cancel()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(CHUNK):
                await self._open.wait()
                writer.write(piece)
                await writer.drain()
        await self._open.wait()  # the end of a connection does not pass either


class Cuts:
    """The gates of services, as the condition of the verb `cut`; see `condition.Condition`."""

    def __init__(self, gates: Mapping[str, Sequence[Gate]]) -> None:
        self._gates = gates

    def obstacle(self, target: str) -> str:
        """Return why a service cannot be cut off."""
        return "" if self._gates.get(target) else "nothing is between it and the servers that it needs"

    async def begin(self, target: str) -> None:
        """Shut the gates of a service."""
        for gate in self._gates[target]:
            gate.shut()

    async def end(self, target: str) -> None:
        """Open them."""
        for gate in self._gates[target]:
            gate.open()
