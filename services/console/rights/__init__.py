"""`console rights`: applies the table of `contracts.access` to a broker, and asks it as each user afterwards."""
