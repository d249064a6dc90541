"""Projections: rebuilt from the log into a second set of tables beside the live one, compared, and swapped."""
