"""Access control of a broker: its list of rights, its SCRAM users, and the operations that it authorizes."""
