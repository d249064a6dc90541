"""Documents generated for the Helm charts: value schemas and setting tables."""
