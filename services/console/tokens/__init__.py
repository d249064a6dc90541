"""Tokens for our own clients: given, or made with the private key of a development issuer."""
