"""ASGI middleware: a request that is complete is answered within a time, by 503 if its work takes longer."""

import asyncio

from litestar.types import ASGIApp, Message, Receive, Scope, Send

ANSWER_WITHIN_S = 10.0


class AnswerDeadline:
    """Cancels the work on a request at the deadline. A body's arrival does not count: see `limits`.

    Raises TimeoutError to the handler of errors.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3.0)."""
        loop = asyncio.get_running_loop()

        async def receive_untimed() -> Message:
            deadline.reschedule(None)
            message = await receive()
            deadline.reschedule(loop.time() + ANSWER_WITHIN_S)
            return message  # type: ignore[return-value]  # Litestar's Receive has a narrower name for it

        async with asyncio.timeout(ANSWER_WITHIN_S) as deadline:
            await self._app(scope, receive_untimed, send)  # type: ignore[arg-type]
