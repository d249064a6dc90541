"""Export of a topic to files: each run writes what is new, once, and a position from which the next one goes on."""
