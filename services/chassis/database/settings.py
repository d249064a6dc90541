"""Settings of the database and its schema."""

from datetime import timedelta

from sqlalchemy import URL

from services.chassis.database import url
from services.chassis.settings.environment import Mixin, Text, settings


@settings
class DatabaseSettings(Mixin):
    """Address and login of the database. A password given apart from the URL can hold any character.

    `database_migrate`: the service migrates the schema at its start; otherwise it stays unready until the schema that
    it needs is there. `migrate_within` is how long the command `migrate` retries while the database is unreachable.
    """

    database_url: Text
    database_password: str = ""
    database_migrate: bool = True
    migrate_within: timedelta = timedelta(minutes=2)

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        return super().problems() + url.problems(self.database_url, self.database_password)

    @property
    def database(self) -> URL:
        """The URL with the password in it."""
        return url.address(self.database_url, self.database_password)
