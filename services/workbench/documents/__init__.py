"""Documents generated from the contracts and the metrics."""
