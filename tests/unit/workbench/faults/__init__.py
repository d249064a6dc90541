"""Faults on purpose: the table, their life, the parts and the report."""
