"""Releases: everything that one consists of, built, checked and described from a clean clone, up to the push."""
