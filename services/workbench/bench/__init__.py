"""Measurements: ratios of our code to the least that could do the same, in one run on one real broker."""
