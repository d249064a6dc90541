"""Writes the dashboards: `make docs`, or `python -m k8s.dashboards`."""

import sys

from k8s.dashboards.documents import write

if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in write())
