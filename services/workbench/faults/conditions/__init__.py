"""Conditions of a local system that a fault can end: room on a disk, writes to a database, an open network."""
