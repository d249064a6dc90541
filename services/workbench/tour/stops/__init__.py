"""The stops of the tour, a module each. Its `STOP` is listed in `tour/itinerary.py`."""
