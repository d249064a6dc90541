"""The usual way: kafka-python, as the first example with a group in its documentation.

`KafkaConsumer(topic, group_id=…)` and a loop over it; offsets are committed every five seconds, as is its default.
"""

from kafka import KafkaConsumer  # type: ignore[import-not-found]  # in an environment of its own

from services.workbench.bench.theirs.effect import TOPICS, Effect


def main() -> None:
    """Consume until there were enough records."""
    effect = Effect("kafka-python")
    consumer = KafkaConsumer(
        *TOPICS, group_id=effect.group, bootstrap_servers=effect.bootstrap, auto_offset_reset="earliest"
    )
    for message in consumer:
        effect.apply(message.topic, dict(message.headers), message.value)
        if effect.is_done:
            break
    effect.report()
    consumer.close()


if __name__ == "__main__":
    main()
