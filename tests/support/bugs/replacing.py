"""Replacement of a function or a method by a wrong one."""

from collections.abc import Callable
from typing import Any

PATIENCE_S = 0.2  # of a wrong function at its weakest moment, so that a kill meets it


def replace(owner: Any, name: str, wrong: Callable[[Any], Any]) -> None:
    """Replace an attribute by what a function makes of it."""
    setattr(owner, name, wrong(getattr(owner, name)))
