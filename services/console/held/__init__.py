"""Held records for operators: list, show, retry and discard."""
