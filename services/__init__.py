"""Eventline: a user, a notification and an audit service that share nothing but Kafka topics."""
