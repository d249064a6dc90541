"""The load: an open loop of mixed commands at a given rate, what it measured, and what became of it."""
