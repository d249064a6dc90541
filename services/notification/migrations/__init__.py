"""The revisions of the notification service's schema."""
