"""The bench: arguments, ratios, and what two revisions are compared by."""
