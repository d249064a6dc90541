#!/bin/bash
# A role and a database for each service; nobody may enter another's. Runs after every start, as superuser: what is
# there stays, what is missing is created, so that a service can be added to a system that exists. Passwords come from
# files (<name>/password, on Kubernetes) or from variables (<NAME>_DATABASE_PASSWORD, under compose).
set -euo pipefail
shopt -s nullglob

ensure() {
  PASSWORD=$2 psql -X -q -v ON_ERROR_STOP=1 -U postgres -d postgres -v name="$1" <<'SQL'
\getenv password PASSWORD
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE to_regrole(quote_ident(:'name')) IS NULL \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %1$I OWNER %1$I', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

# By TCP: the server that initialises an empty volume listens on the socket alone.
until pg_isready --quiet --host=127.0.0.1 --username=postgres; do sleep 0.2; done
for file in /etc/eventline/passwords/*/password; do
  folder=${file%/password}
  ensure "${folder##*/}" "$(<"$file")"
done
for variable in $(compgen -e | grep '_DATABASE_PASSWORD$'); do
  name=${variable%_DATABASE_PASSWORD}
  ensure "${name,,}" "${!variable}"
done
psql -X -q -v ON_ERROR_STOP=1 -U postgres -d postgres -c 'REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC'
