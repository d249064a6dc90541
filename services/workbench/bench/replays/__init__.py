"""Replays of the log, measured against hand-written loops."""
