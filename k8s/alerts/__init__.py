"""Alerts and SLOs as data, and the Prometheus rules made of them: `python -m k8s.alerts`.

Knows metrics by name and nothing of the services' code.
"""
