"""The user service: HTTP commands, decided by pure functions and published as events. The only owner of users."""
