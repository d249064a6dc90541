"""The revisions of the user service's schema."""
