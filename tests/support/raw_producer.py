"""One record written as raw bytes: what no client lets through, such as a header name that is not UTF-8.

Kafka's protocol: Produce version 7 with one record batch of magic 2, uncompressed, to partition 0.
"""

import socket
import struct
from collections.abc import Mapping

from services.workbench.polling import until

PATIENCE_S = 30.0
CASTAGNOLI = 0x82F63B78
PRODUCE, VERSION, CORRELATION = 0, 7, 1
NEW = {3, 5, 6}  # unknown topic or partition, no leader, not the leader: the topic has just been created


def produce(broker: str, topic: str, key: bytes, value: bytes, headers: Mapping[bytes, bytes]) -> None:
    """Write a record and wait until the broker has it. Raises OSError, TimeoutError with the broker's error code.

    As every client does, it repeats what the broker refuses until it leads a partition that it has just been given.
    """
    batch = _batch(_record(key, value, headers))
    partition = struct.pack("!ii", 1, 0) + _bytes(batch)
    body = struct.pack("!hhi", -1, -1, 30_000) + struct.pack("!i", 1) + _text(topic) + partition
    request = struct.pack("!hhi", PRODUCE, VERSION, CORRELATION) + _text("raw") + body
    code = until("a partition with a leader", lambda: _send(broker, request, topic), lambda code: code not in NEW)
    assert code == 0, f"the broker refuses the record with code {code}"


def _send(broker: str, request: bytes, topic: str) -> int:
    host, _, port = broker.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        connection.sendall(_bytes(request))
        with connection.makefile("rb") as answer:
            reply = answer.read(struct.unpack("!i", answer.read(4))[0])
    # correlation, one topic, its name, one partition, its number: then the code
    code: int = struct.unpack_from("!h", reply, 4 + 4 + 2 + len(topic) + 4 + 4)[0]
    return code


def _batch(record: bytes) -> bytes:
    now_ms = 1_000
    rest = struct.pack("!hiqqqhii", 0, 0, now_ms, now_ms, -1, -1, -1, 1) + record
    checked = struct.pack("!ib", -1, 2) + struct.pack("!I", _crc32c(rest)) + rest
    return struct.pack("!q", 0) + _bytes(checked)


def _record(key: bytes, value: bytes, headers: Mapping[bytes, bytes]) -> bytes:
    pairs = b"".join(_varbytes(name) + _varbytes(content) for name, content in headers.items())
    body = b"\x00" + _varint(0) + _varint(0) + _varbytes(key) + _varbytes(value) + _varint(len(headers)) + pairs
    return _varbytes(body)


def _varint(number: int) -> bytes:
    left, out = number << 1, bytearray()  # zigzag of what is not negative
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*out, left])


def _varbytes(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _bytes(content: bytes) -> bytes:
    return struct.pack("!i", len(content)) + content


def _text(text: str) -> bytes:
    return struct.pack("!h", len(text)) + text.encode()


def _crc32c(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ CASTAGNOLI * (crc & 1)
    return crc ^ 0xFFFFFFFF
