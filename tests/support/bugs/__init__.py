"""Planted bugs: wrong functions in the place of a service's own, and trials that give each its chance."""
