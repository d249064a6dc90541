"""The whole system on this machine: broker, mail sink and services as child processes."""
