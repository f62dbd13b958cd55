"""Providers and sites for the tests of rights."""

import uuid
from collections.abc import Callable

import pytest

from cameras.models import Organisation, Site
from enforcement.rights.services import schemes_load
from tests.integration.rights.rightsmaker import Seller, make_seller, make_site, whole_database


@pytest.fixture
def organisation(db: None) -> Organisation:
    return Organisation.objects.create(name=f"org {uuid.uuid4().hex[:8]}")


@pytest.fixture
def site(organisation: Organisation) -> Site:
    return make_site(organisation, "north")


@pytest.fixture
def other_site(organisation: Organisation) -> Site:
    return make_site(organisation, "south")


@pytest.fixture
def zone_site(organisation: Organisation) -> Site:
    return make_site(organisation, "city", "zone")


@pytest.fixture
def seller(organisation: Organisation, site: Site) -> Seller:
    return make_seller(organisation, site)


@pytest.fixture
def schemes(db: None) -> None:
    schemes_load()


@pytest.fixture
def stored_text() -> Callable[[], str]:
    return whole_database
