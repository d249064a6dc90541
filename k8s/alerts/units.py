"""Times and sizes with units, as Prometheus wants them: durations in brackets and waits, plain numbers elsewhere."""

import re

MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
BYTES = {"MiB": 2**20, "GiB": 2**30}
SHORTEST_MS = 1_000
DURATION = r"(?P<number>\d+)(?P<unit>ms|[smhd])"
WINDOW = re.compile(rf"\[({DURATION})\]")
# No part of a name: `slo:api_latency:burnrate1h` stays as it is.
QUANTITY = re.compile(r"(?<![\w:.\[])(?P<number>\d+)(?P<unit>ms|[smhd]|MiB|GiB)\b")


def duration(text: str, scale: float) -> str:
    """Return a duration, scaled, in the largest unit that has it whole; never below a second."""
    match = re.fullmatch(DURATION, text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration")
    whole = max(round(_milliseconds(match) * scale), SHORTEST_MS)
    unit = next(unit for unit in ("d", "h", "m", "s", "ms") if whole % MILLISECONDS[unit] == 0)
    return f"{whole // MILLISECONDS[unit]}{unit}"


def numbers(expression: str, scale: float) -> str:
    """Return an expression with its windows scaled, and every other time in seconds, every size in bytes."""
    plain = QUANTITY.sub(lambda match: _number(match, scale), expression)
    return WINDOW.sub(lambda match: f"[{duration(match[1], scale)}]", plain)


def _number(match: re.Match[str], scale: float) -> str:
    if match["unit"] in BYTES:
        return str(round(int(match["number"]) * BYTES[match["unit"]] * scale))
    return f"{_milliseconds(match) * scale / 1000:g}"


def _milliseconds(match: re.Match[str]) -> int:
    return int(match["number"]) * MILLISECONDS[match["unit"]]
