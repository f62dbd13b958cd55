"""A small road to drive through in tests: the real services in order, on our own clock."""

import uuid
from datetime import datetime
from typing import Any

from audit.services import Actor
from cameras.intake import Sent
from cameras.models import Camera, Capture, Organisation, Site
from cameras.services import capture_receive, heartbeat_receive
from core.models import User
from enforcement.cases.services import cases_act
from enforcement.rights.intake import right_input
from enforcement.rights.models import Right, SiteRules
from enforcement.rights.services import right_receive, schemes_load
from enforcement.visits.services import passages_judge, passages_rejudge_due
from enforcement.watchlist.models import Watchlist
from enforcement.watchlist.services import entry_add, watchlist_create
from enforcement.watchlist.watching import reads_watch
from plates.gathering import passages_close, reads_gather
from plates.services import captures_recognise

ROBOT = Actor("command", "test")


class Road:
    """A site with cameras; `send` is a finished read, `turn` lets every stage run once."""

    def __init__(self, kind: str, cameras: dict[str, str], now: datetime, **rules: Any) -> None:
        schemes_load()
        self.organisation = Organisation.objects.create(name=f"Org {uuid.uuid4().hex[:6]}")
        self.site = Site.objects.create(
            organisation=self.organisation,
            name=f"Site {kind}",
            slug=f"s-{uuid.uuid4().hex[:8]}",
            kind=kind,
            timezone="Europe/Prague",
        )
        SiteRules.objects.create(
            site=self.site, effective_from=now.replace(year=now.year - 1), **rules
        )
        self.cameras = {
            slug: Camera.objects.create(site=self.site, slug=slug, name=slug, role=role)
            for slug, role in cameras.items()
        }
        self.sent = 0

    def camera(self, slug: str) -> Camera:
        return Camera.objects.select_related("site").get(pk=self.cameras[slug].pk)

    def send(
        self,
        text: str,
        camera: str,
        at: datetime,
        *,
        now: datetime | None = None,
        country: str | None = "CZ",
        score: float = 0.97,
        event: str | None = None,
        picture: bytes | None = None,
    ) -> Capture:
        self.sent += 1
        read = {"text": text, "score": score, "country": country}
        return capture_receive(
            camera=self.camera(camera),
            sent=Sent(
                kind="read",
                captured_at=at,
                event=event or f"id:{self.sent}",
                read=read,
                picture=picture,
            ),
            now=now or at,
        )

    def report(self, now: datetime) -> None:
        """Every camera says that it has delivered everything up to now."""
        for slug in self.cameras:
            heartbeat_receive(
                camera=self.camera(slug),
                queue_depth=0,
                through=now,
                sent_at=now,
                detail={},
                now=now,
            )

    def right(self, now: datetime, **fields: Any) -> Right:
        return right_receive(
            provider=None,
            data=right_input({"id": uuid.uuid4().hex, **fields}),
            actor=ROBOT,
            now=now,
        )[0]

    def watch(self, plate: str, now: datetime, until: datetime) -> Watchlist:
        user = User.objects.create(
            username=uuid.uuid4().hex[:8], email=f"{uuid.uuid4().hex}@x.invalid"
        )
        watchlist = watchlist_create(
            organisation=self.organisation,
            name=f"list {uuid.uuid4().hex[:6]}",
            purpose="a test",
            user=user,
            now=now,
            needs_approval=False,
        )
        entry_add(
            watchlist=watchlist, plate=plate, country="CZ", expires_at=until, user=user, now=now
        )
        return watchlist

    def turn(self, now: datetime) -> None:
        """Every stage until nothing waits, as the workers would."""
        while captures_recognise(now=now):
            pass
        reads_watch(now=now)
        while reads_gather(now=now):
            pass
        passages_close(now=now)
        passages_rejudge_due(now=now)
        while passages_judge(now=now):
            pass
        cases_act(now=now, limit=100)


def outcome(capture: Capture) -> dict[str, Any]:
    """The plate-free outcome as it stands."""
    return dict(Capture.objects.get(pk=capture.pk).outcome)
