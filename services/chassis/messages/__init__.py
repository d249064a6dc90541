"""Values that cross rooms: records, events, ids, time, and the publisher's interface. Knows no library but msgspec."""
