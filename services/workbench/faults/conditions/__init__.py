"""Conditions of a local system that a fault can end: room on a disk, database writes, the network, right clocks."""
