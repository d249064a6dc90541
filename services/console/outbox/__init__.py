"""The outbox for operators: events that the broker refuses, and the relay that publishes."""
