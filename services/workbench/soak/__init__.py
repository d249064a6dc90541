"""Long checks of whole systems: memory, backlog, mail outage, rebuild, checker, journeys under kills."""
