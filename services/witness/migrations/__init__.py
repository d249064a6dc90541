"""The revisions of the witness's schema."""
