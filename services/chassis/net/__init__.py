"""TLS contexts, certificate checks and listening sockets."""
