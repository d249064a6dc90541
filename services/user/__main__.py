"""`python -m services.user` runs the user service."""

import sys

from services.chassis.runtime import main
from services.user.bootstrap import build
from services.user.settings import Settings

if __name__ == "__main__":
    sys.exit(main("user", Settings, build))
