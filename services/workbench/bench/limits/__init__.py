"""Rate limits of the bench: what one caller who sends too much costs the others."""
