"""The matrix of roles and routes of every API, read from api_access.toml."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

LIST = Path(__file__).with_name("api_access.toml")

ROUTES: Mapping[str, Mapping[str, tuple[str, ...]]] = msgspec.convert(
    tomllib.loads(LIST.read_text()), dict[str, dict[str, tuple[str, ...]]]
)
