"""Runs a program whose decoder is wrong for one type: it expects notices where states are."""

import runpy
import sys

from services.contracts.catalog import TYPES
from services.contracts.user import UserNotice

if __name__ == "__main__":
    TYPES["user.state"] = UserNotice
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
