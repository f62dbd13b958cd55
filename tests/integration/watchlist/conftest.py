"""One organisation with a site, a camera, a list, and two people."""

import pytest

from cameras.models import Camera, Organisation, Site
from core.models import User
from enforcement.watchlist.models import Watchlist
from tests.integration.watchlist.watchmaker import make_camera, make_list, make_site, make_user


@pytest.fixture
def organisation(db: None) -> Organisation:
    return Organisation.objects.create(name="watching")


@pytest.fixture
def site(organisation: Organisation) -> Site:
    return make_site(organisation, "gate")


@pytest.fixture
def camera(site: Site) -> Camera:
    return make_camera(site, "in")


@pytest.fixture
def anna(db: None) -> User:
    return make_user("anna")


@pytest.fixture
def bert(db: None) -> User:
    return make_user("bert")


@pytest.fixture
def stolen(organisation: Organisation, anna: User) -> Watchlist:
    return make_list(organisation, anna, name="stolen")
