"""Quix Streams, as the first example of its documentation: an application, a topic, a function for each row.

The topics are read as bytes, which spares Quix Streams the decoding of JSON.
"""

from functools import partial

from quixstreams import Application  # type: ignore[import-not-found]  # in an environment of its own

from services.workbench.bench.theirs.effect import TOPICS, Effect

Headers = list[tuple[str, bytes]]


def main() -> None:
    """Consume until there were enough records."""
    effect = Effect("quixstreams")
    app = Application(
        broker_address=effect.bootstrap, consumer_group=effect.group, auto_offset_reset="earliest", loglevel="ERROR"
    )

    def handle(topic: str, value: bytes, _key: bytes, _timestamp: int, headers: Headers) -> None:
        effect.apply(topic, dict(headers), value)
        if effect.is_done:
            app.stop()

    for name in TOPICS:
        rows = app.dataframe(app.topic(name, value_deserializer="bytes"))
        rows.update(partial(handle, name), metadata=True)
    app.run()
    effect.report()


if __name__ == "__main__":
    main()
