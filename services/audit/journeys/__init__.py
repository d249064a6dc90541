"""Journeys: everything that one command led to, as a causal tree over all topics."""
