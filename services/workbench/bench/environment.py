"""Virtual environments of the bench, apart from ours, for pins that are not ours."""

import hashlib
import subprocess
import sys
from pathlib import Path


def environment(home: Path, lock: Path, what: str) -> Path:
    """Return the Python in `home` that has the packages of a lock, installing them where the lock has changed."""
    uv, python, stamp = Path(sys.executable).parent / "uv", home / "bin" / "python", home / "lock.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        sys.stdout.write(f"setting up: {what} (uv) in {home} ...\n")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, home], check=True)
        subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", lock], check=True)
        stamp.write_text(digest)
    return python
