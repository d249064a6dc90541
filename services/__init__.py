"""Eventline: user, notification and audit services that communicate only through Kafka topics."""
