"""The frame every service is bolted to. It knows Kafka, SQL, metrics and shutdown, and no event by name."""
