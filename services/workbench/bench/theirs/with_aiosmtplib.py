"""aiosmtplib, as the client of its documentation: a context manager, and a mail after the other on its connection."""

import asyncio
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import aiosmtplib  # type: ignore[import-not-found]  # in an environment of its own
import msgspec


async def main(port: int, mails: Sequence[dict[str, str]]) -> None:
    """Send mails and print the rate."""
    started = time.perf_counter()
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as client:
        for mail in mails:
            await client.sendmail(mail["sender"], [mail["recipient"]], mail["content"])
    rate = len(mails) / (time.perf_counter() - started)
    result = {"library": f"aiosmtplib {version('aiosmtplib')}", "rate": rate}
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), msgspec.json.decode(Path(sys.argv[2]).read_bytes())))
