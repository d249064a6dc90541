"""Conditions of a local system that a fault can end: room on a disk, the right to write to a database."""
