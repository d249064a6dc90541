"""Anomalies: the checks, and the history that they read."""
