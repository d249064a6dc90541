"""Kafka clients: the only package that imports confluent_kafka. Others see records, partitions and plain exceptions."""
