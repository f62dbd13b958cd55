"""Two sites, and people with roles at one of them."""

import pytest

from cameras.models import SiteRole
from core.models import User
from tests.integration.dashboard.dashboard_rows import Rows, person_make, site_make


@pytest.fixture
def rows(db: None) -> Rows:
    return site_make()


@pytest.fixture
def elsewhere(db: None) -> Rows:
    """A site of somebody else's."""
    return site_make("Harbour gate", "Port of Rotterdam")


@pytest.fixture
def operator(rows: Rows) -> User:
    return person_make("olga", (rows.site, SiteRole.Role.OPERATOR))


@pytest.fixture
def viewer(rows: Rows) -> User:
    return person_make("viktor", (rows.site, SiteRole.Role.VIEWER))


@pytest.fixture
def auditor(rows: Rows) -> User:
    return person_make("aneta", (rows.site, SiteRole.Role.AUDITOR))
