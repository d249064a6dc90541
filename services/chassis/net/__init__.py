"""TLS contexts, certificate checks, listening sockets, and the backoff of retry loops."""
