"""FastStream, as the first example of its documentation: a broker, an app, a subscriber called per message.

The handler takes the message as it came, which spares FastStream the decoding of JSON.
"""

import asyncio

from faststream import FastStream  # type: ignore[import-not-found]  # in an environment of its own
from faststream.kafka import KafkaBroker, KafkaMessage  # type: ignore[import-not-found]  # the same

from services.workbench.bench.theirs.effect import TOPICS, Effect


async def main() -> None:
    """Consume until there were enough records."""
    effect = Effect("faststream")
    broker = KafkaBroker(effect.bootstrap, logger=None)
    app = FastStream(broker, logger=None)

    async def handle(message: KafkaMessage) -> None:
        record = message.raw_message
        effect.apply(record.topic, dict(record.headers), record.value)
        if effect.is_done:
            app.exit()

    broker.subscriber(*TOPICS, auto_offset_reset="earliest")(handle)
    await app.run()
    effect.report()


if __name__ == "__main__":
    asyncio.run(main())
