"""Measurements: ratios of our code to hand-written minimal loops, in one run on one real broker."""
