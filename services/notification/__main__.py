"""`python -m services.notification` runs the service."""

import sys

from services.chassis.runtime import main
from services.notification.bootstrap import build
from services.notification.settings import Settings

sys.exit(main("notification", Settings, build))
