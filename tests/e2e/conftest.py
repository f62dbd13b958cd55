"""One live site for the whole walk; tests that kill things start their own."""

from collections.abc import Iterator

import pytest

from tests.e2e.site import LiveSite


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    """A site that answers."""
    live = LiveSite(tmp_path_factory.mktemp("site") / "var")
    live.start()
    yield live
    live.stop()
