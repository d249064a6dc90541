"""Kubernetes Secrets with generated passwords: created once in the cluster, never overwritten."""
