"""Writes the generated documents: `make docs`, or `python -m tests.contract`."""

import sys

from tests.contract.documents import write

if __name__ == "__main__":
    sys.stdout.writelines(f"{said}\n" for said in write())
