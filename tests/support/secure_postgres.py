"""A PostgreSQL that takes TLS with a password, or nothing, and shows a chosen certificate."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import trustme

from services.workbench.local import postgres
from services.workbench.local.postgres import READY_S
from services.workbench.polling import until
from tests.support.certificates import CERTIFICATES, HOST, USER

PASSWORD = "it's; 100% @:/?#\"é"  # noqa: S105  # the tests' own: what a URL or a quoting mistake would spoil


class SecurePostgres(postgres.Server):
    """A PostgreSQL that takes TLS with a password and nothing else; tests themselves come by its socket."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        files = [self._home / "server.pem", self._home / "server-key.pem"]
        self._files = files
        quoted = PASSWORD.replace("'", "''")
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER USER {USER} PASSWORD '{quoted}'")
            connection.execute(f"ALTER SYSTEM SET ssl_cert_file = '{files[0]}'")
            connection.execute(f"ALTER SYSTEM SET ssl_key_file = '{files[1]}'")
        self.show(CERTIFICATES["right"])
        self._set("on", "hostssl all all 127.0.0.1/32 scram-sha-256")

    @contextmanager
    def without_tls(self) -> Iterator[None]:
        """Offer no TLS, and ask for no password."""
        self._set("off", "host all all 127.0.0.1/32 trust")
        yield
        self._set("on", "hostssl all all 127.0.0.1/32 scram-sha-256")

    def show(self, certificate: trustme.LeafCert) -> None:
        """Show this certificate from now on."""
        for file, pem in zip(self._files, (certificate.cert_chain_pems[0], certificate.private_key_pem), strict=True):
            file.write_bytes(pem.bytes())
            file.chmod(0o600)
            if self._as_user:
                shutil.chown(file, "postgres")
        self.reload()

    def reload(self) -> None:
        """Read configuration and certificates again, and wait until the server does."""
        before = self._value("SELECT pg_conf_load_time()")
        self._value("SELECT pg_reload_conf()")
        query = "SELECT pg_conf_load_time()"
        until("a later pg_conf_load_time", lambda: self._value(query), lambda now: now != before, READY_S)

    def administer(self, statements: str) -> None:
        """Execute statements, separated by `;`, as an administrator."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            for statement in filter(str.strip, statements.split(";")):
                connection.execute(statement.encode())

    def settings(self, authority: str, port: int = 0) -> dict[str, str]:
        """Create an empty database and return the `APP_*` variables of a service that uses it, through a port."""
        name = self.fresh_url().rpartition("/")[2]
        tls = f"sslmode=verify-full&sslrootcert={authority}"
        url = f"postgresql+psycopg://{USER}@{HOST}:{port or self.port}/{name}?{tls}"
        return {"APP_DATABASE_URL": url, "APP_DATABASE_PASSWORD": PASSWORD}

    def _set(self, tls: str, access: str) -> None:
        (self._home / "data" / "pg_hba.conf").write_text(f"local all all trust\n{access}\n")
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET ssl = {tls}")
        self.reload()

    def _value(self, query: str) -> object:
        with psycopg.connect(f"host={self._home} port={self.port} user={USER} dbname=postgres") as connection:
            row = connection.execute(query).fetchone()
        return row and row[0]

    def _dsn(self, database: str) -> str:
        return f"host={self._home} port={self.port} user={USER} dbname={database}"
