"""Public contracts: the envelope, one module of structs per publisher, the catalog of topics and types."""
