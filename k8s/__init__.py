"""Eventline on a kind cluster: `python -m k8s deploy` and its neighbours, called by the Makefile.

It drives docker, kind, helm and kubectl, and knows nothing of the services' code.
"""
