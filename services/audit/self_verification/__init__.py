"""Self-verification of a running audit service: new entries soon, and the whole log again and again."""
