"""Evidence for one entry: a proof as a file, and its check without any database."""
