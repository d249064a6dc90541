"""The stops of the tour, a module each. The itinerary lists each `STOP`."""
