"""Writes the generated documents of contracts, errors and metrics; called by `make docs`."""

import sys

from services.workbench.documents import errors, metrics, rights
from services.workbench.documents.contracts import write

if __name__ == "__main__":
    try:
        sys.stdout.writelines(f"{line}\n" for line in write())
    except FileNotFoundError as error:  # a type without golden file
        sys.exit(str(error))
    for page in (errors, metrics, rights):
        if not page.PATH.exists() or page.PATH.read_text() != page.text():
            page.PATH.write_text(page.text())
            sys.stdout.write(f"{page.PATH.relative_to(page.PATH.parents[1])}: written\n")
