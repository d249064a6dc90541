"""Reading CloudEvents in Kafka's structured content mode: attributes and data together in the value, as JSON.

We write the binary mode; other clients and gateways may write this one. Knows no event by name.
Source: CloudEvents 1.0.2, its Kafka binding, section 3.3, and its JSON format, sections 2 and 3.
"""

from collections.abc import Mapping

import msgspec

from services.contracts.envelope import NUMBERS, OPTIONAL, TEXTS, Envelope, EnvelopeError, from_attributes

FORMAT = "application/cloudevents+json"
DATA_TYPE = "application/json"
HEADERS = {name.removeprefix("ce_"): name for name in ("ce_specversion", *TEXTS, *NUMBERS, "ce_time", *OPTIONAL)}

NULL = msgspec.Raw(b"null")

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_attribute = msgspec.json.Decoder(str | int | None)
_base64 = msgspec.json.Decoder(bytes)


def read(headers: Mapping[str, bytes | None], value: bytes | None) -> tuple[Envelope, bytes]:
    """Return the envelope and the bytes of the data. Raises EnvelopeError, which names the attribute.

    Data is given as our publishers write it, without blanks and escapes, so that an event has one digest in both
    modes. The order of fields stays: where it was changed on the way, the event looks like another with its id.
    """
    _check("header content-type", (headers.get("content-type") or b"").decode("utf-8", "replace"), FORMAT)
    members = _open(value)
    _check("attribute datacontenttype", _text(members, "datacontenttype") or DATA_TYPE, DATA_TYPE)
    texts = {header: text.encode() for name, header in HEADERS.items() if (text := _text(members, name)) is not None}
    try:
        return from_attributes(texts), _data(members)
    except EnvelopeError as error:
        raise EnvelopeError(str(error).replace("header ce_", "attribute ", 1)) from None


def _check(place: str, media_type: str, expected: str) -> None:
    if media_type.partition(";")[0].strip().lower() != expected:
        raise EnvelopeError(f"{place} is {media_type!r:.100}, expected {expected}")


def _open(value: bytes | None) -> dict[str, msgspec.Raw]:
    if value is None:
        raise EnvelopeError("a structured event without a value: a tombstone is written in binary mode")
    try:
        return _members.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EnvelopeError(f"the value is no structured event: {error!s:.100}") from None


def _text(members: Mapping[str, msgspec.Raw], name: str) -> str | None:
    raw = members.get(name, NULL)
    try:
        text = _attribute.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EnvelopeError(f"attribute {name} is {bytes(raw)!r:.100}: {error!s:.100}") from None
    return None if text is None else str(text)  # null is the same as absent


def _data(members: Mapping[str, msgspec.Raw]) -> bytes:
    if ("data" in members) == ("data_base64" in members):
        raise EnvelopeError(
            "one of data and data_base64 is expected, found " + ("both" if "data" in members else "none")
        )
    if "data" in members:
        return _compact(members["data"])
    try:
        return _base64.decode(members["data_base64"])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EnvelopeError(f"attribute data_base64: {error!s:.100}") from None


def _compact(raw: msgspec.Raw) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return bytes(raw)  # the decoder reports the error
