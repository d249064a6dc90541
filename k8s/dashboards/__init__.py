"""The Grafana dashboards as a program: `python -m k8s.dashboards` writes their JSON, which is committed.

Each module declares the questions of one dashboard; `panel` and `board` turn that into classic JSON, with
Grafana's own SDK. Knows metrics by name, and nothing of the services' code.
"""
