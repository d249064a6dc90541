"""The audit API of an empty log, for records and for queries."""

from collections.abc import Iterator
from functools import partial

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from services.audit import api, store
from services.chassis.database.database import Database
from services.chassis.http.application import application
from tests.support.audit_log import ORIGIN, open_log


@pytest.fixture
def entries(database: Database) -> Iterator[TestClient[Litestar]]:
    open_log(database)
    find = partial(database.reader(store.find), origin=ORIGIN)
    with TestClient(application(api.routes(find), api.DOCUMENT)) as client:
        yield client
