"""Access control of the local broker: a login for each process, an authorizer that denies by default, optional TLS."""
