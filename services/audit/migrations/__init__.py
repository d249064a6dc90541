"""The revisions of the audit service's schema."""
