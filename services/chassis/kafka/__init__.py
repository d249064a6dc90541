"""The one place that knows the Kafka client. Everything else sees records, partitions and plain exceptions."""
