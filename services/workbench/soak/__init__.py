"""Long checks of whole systems: memory, backlog, mail outage, rebuild from the log, journeys under kills."""
