"""The user service: the only owner of users; everything it decides is on its event log."""
