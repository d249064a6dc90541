"""Logs, metrics, traces and health of one process."""
