"""Packages of a lock: each with its version, markers and extras apart."""

from services.workbench.release.sbom import locked

LOCK = """# written by a program
a-b==1.0 \\
    --hash=sha256:00
psycopg[binary]==3.3.4 ; python_version >= '3.11' \\
    --hash=sha256:01
    # via c==2
uvloop==0.23.0 ; sys_platform != 'win32' \\
    --hash=sha256:02
"""


def test_each_package_of_a_lock_is_read_once() -> None:
    assert locked(LOCK) == {("a-b", "1.0"), ("psycopg", "3.3.4"), ("uvloop", "0.23.0")}
