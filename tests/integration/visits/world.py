"""A site, its cameras and what passes them, built through the product's own stages.

For tests of what comes after reading: captures and reads are written as the stage `recognise`
would, everything later is the product's.
"""

import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from audit.services import Actor
from cameras.models import Camera, Capture, Organisation, Site
from core.ids import uuid7
from core.platetext import canonical
from enforcement.rights.intake import right_input
from enforcement.rights.models import Provider, Right, SiteRules
from enforcement.rights.services import right_receive, schemes_load
from enforcement.visits.models import VerdictVersion, Visit
from enforcement.visits.services import passages_judge, passages_rejudge_due
from plates.gathering import passages_close, reads_gather
from plates.models import Passage, PlateRead
from vault import blind
from vault.models import DataClass
from vault.sealing import assign_key, seal_file, seal_text

BASE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday."""

SELLER = Actor("provider", "App", "Demo", "127.0.0.1")


def at(clock: str, day: int = 0) -> datetime:
    """`HH:MM` or `HH:MM:SS` of the base day, or of one `day` days later, UTC."""
    parts = [int(part) for part in clock.split(":")] + [0]
    return BASE.replace(hour=parts[0], minute=parts[1], second=parts[2]) + timedelta(days=day)


class World:
    """One site with its cameras; `now` is the clock everything is done by."""

    def __init__(self, kind: str, *, cameras: dict[str, str], slug: str = "", **rules: Any) -> None:
        self.now = BASE
        organisation, _ = Organisation.objects.get_or_create(name="Demo")
        self.site = Site.objects.create(
            organisation=organisation,
            name=slug or kind,
            slug=slug or kind,
            kind=kind,
            timezone="UTC",
        )
        self.rules = SiteRules.objects.create(
            site=self.site, effective_from=BASE - timedelta(days=365), **rules
        )
        self.cameras = {
            name: Camera.objects.create(site=self.site, name=name, slug=name, role=role)
            for name, role in cameras.items()
        }
        self.provider, _ = Provider.objects.get_or_create(name="App", organisation=organisation)
        self._events = 0

    def read(
        self,
        camera: str,
        text: str,
        when: datetime,
        *,
        country: str = "CZ",
        score: float = 0.97,
        candidates: tuple[tuple[str, float], ...] = (),
        quarantined: bool = False,
        picture: bytes = b"",
    ) -> PlateRead:
        """A capture with one read, as the stage `recognise` leaves them."""
        self._events += 1
        self.now = max(self.now, when)
        text = canonical(text)
        capture = Capture(
            id=uuid7(when, seed=f"{self.site.pk}{camera}{self._events}".encode()),
            camera=self.cameras[camera],
            site=self.site,
            kind=Capture.Kind.FRAME,
            status=Capture.Status.RECOGNISED,
            event_token=blind.token(blind.Kind.EVENT, f"{camera}{self._events}"),
            content_digest=bytes(32),
            captured_at=when,
            received_at=self.now,
            quarantined=quarantined,
        )
        scope = str(self.site.pk)
        assign_key(capture, scope=scope, data_class=DataClass.PENDING, now=self.now)
        if picture:
            seal_file(capture, "picture", picture, now=self.now)
            capture.picture_sha256 = hashlib.sha256(picture).digest()
        capture.save(force_insert=True)
        read = PlateRead(
            id=uuid7(when, seed=b"read" + capture.pk.bytes),
            capture_id=capture.pk,
            index=0,
            site=self.site,
            camera=self.cameras[camera],
            captured_at=when,
            received_at=self.now,
            quarantined=quarantined,
            country=country,
            score=score,
            char_scores=[score] * len(text),
            token_exact=blind.exact(text),
            token_class=blind.equivalent(text),
        )
        assign_key(read, scope=scope, data_class=DataClass.PENDING, now=self.now)
        seal_text(read, {"text": text, "candidates": json.dumps([[text, score], *candidates])})
        if picture:
            seal_file(read, "crop", picture[:8], now=self.now)
        read.save(force_insert=True)
        return read

    def right(self, kind: str, plate: str | list[str] = "", **fields: Any) -> Right:
        """A right delivered by the provider at `now`; `from_`/`to` are datetimes."""
        data: dict[str, Any] = {"kind": kind, "id": fields.pop("id", f"r{uuid.uuid4().hex}")}
        data["plates" if isinstance(plate, list) else "plate"] = plate
        if kind in ("payment", "zone-payment", "permit", "exemption"):
            data["site"] = self.site.slug
        for name, value in fields.items():
            data[name.rstrip("_")] = value.isoformat() if isinstance(value, datetime) else value
        if kind == "exemption":
            data.setdefault("reason", "staff")
        right, _ = right_receive(
            provider=self.provider, data=right_input(data), actor=SELLER, now=self.now
        )
        return right

    def hear(self, through: datetime | None = None, *names: str) -> None:
        """Cameras report that everything up to `through` (now) is delivered."""
        through = through or self.now
        self.now = max(self.now, through)
        cameras = [self.cameras[name] for name in names] or list(self.cameras.values())
        Camera.objects.filter(pk__in=[camera.pk for camera in cameras]).update(
            through=through, last_seen_at=through
        )

    def judge(self) -> int:
        """What the workers do until nothing is left: gather, close, rejudge, judge."""
        done = 0
        while True:
            reads_gather(now=self.now)
            passages_close(now=self.now)
            passages_rejudge_due(now=self.now)
            step = passages_judge(now=self.now)
            done += step
            if not step:
                return done
            assert done < 500, "something is judged for ever"

    def settle(self, through: datetime | None = None) -> None:
        """Every camera reports, and everything is judged."""
        self.hear(through)
        self.judge()

    def verdict(self, read: PlateRead) -> VerdictVersion:
        """The current verdict of a read: its passage's or its visit's."""
        passage_id = PlateRead.objects.get(pk=read.pk).passage_id
        current = VerdictVersion.objects.filter(current=True)
        own = current.filter(passage_id=passage_id).first()
        if own is not None:
            return own
        return current.get(visit_id=self.visit(read).pk)

    def visit(self, read: PlateRead) -> Visit:
        """The visit a read belongs to."""
        passage_id = PlateRead.objects.get(pk=read.pk).passage_id
        found = Visit.objects.filter(entry_passage_id=passage_id).first()
        return found or Visit.objects.get(exit_passage_id=passage_id)

    def says(self, read: PlateRead) -> tuple[str, str | None]:
        """Verdict and reason of a read."""
        verdict = self.verdict(read)
        return verdict.verdict, verdict.reason

    def passage(self, read: PlateRead) -> Passage:
        """The passage of a read."""
        return Passage.objects.get(pk=PlateRead.objects.get(pk=read.pk).passage_id)


def car_park(slug: str = "", **rules: Any) -> World:
    """A car park with an entry, an exit and a camera on the road outside."""
    cameras = {"in": "entry", "out": "exit", "road": "passing"}
    return World("parking", cameras=cameras, slug=slug, **rules)


def motorway(scheme: str = "CZ", slug: str = "", **rules: Any) -> World:
    """A gantry on a vignette road."""
    schemes_load()
    return World("vignette", cameras={"gantry": "passing"}, slug=slug, scheme=scheme, **rules)


def city(slug: str = "", **rules: Any) -> World:
    """A charging zone, Monday to Friday 07–18, payable until midnight of the third day after."""
    window = {
        "days": [1, 2, 3, 4, 5],
        "from": "07:00",
        "to": "18:00",
        "holidays": [],
        "pay_until": "P3D midnight",
    }
    return World("zone", cameras={"north": "passing"}, slug=slug, window=window, **rules)
