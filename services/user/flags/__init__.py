"""Flags of addresses: set by bounces, cleared by operators."""
