"""aiokafka, as the first consumer of its documentation: `async for` over a group's consumer, committing by itself."""

import asyncio

from aiokafka import AIOKafkaConsumer  # type: ignore[import-not-found]  # in an environment of its own

from services.workbench.bench.theirs.effect import TOPICS, Effect


async def main() -> None:
    """Consume until there were enough records."""
    effect = Effect("aiokafka")
    consumer = AIOKafkaConsumer(
        *TOPICS, bootstrap_servers=effect.bootstrap, group_id=effect.group, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async for message in consumer:
            effect.apply(message.topic, dict(message.headers), message.value)
            if effect.is_done:
                break
    finally:
        await consumer.stop()
    effect.report()


if __name__ == "__main__":
    asyncio.run(main())
