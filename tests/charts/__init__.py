"""Checks of the Helm charts, and the documents that are generated from them."""
