"""Rows for the pages to show: made as the stages make them, sealed."""

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from cameras.models import Camera, Capture, Organisation, Site, SiteRole
from core.ids import uuid7
from core.models import User
from enforcement.cases.models import Case, CaseEvent, Evidence
from enforcement.visits.models import VerdictVersion
from enforcement.watchlist.models import Alert, Entry, Watchlist
from plates.models import Passage, PlateRead
from vault import blind
from vault.models import DataClass
from vault.sealing import assign_key, seal_file, seal_text

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c63f8ffff3f0005fe02fe0def46b80000000049454e44ae426082"
)
QUAD = [100.0, 100.0, 300.0, 100.0, 300.0, 160.0, 100.0, 160.0]


@dataclass
class Rows:
    """Makes rows at one site; each plate is new unless given."""

    site: Site
    camera: Camera
    now: datetime = field(default_factory=timezone.now)
    made: int = 0

    def plate(self) -> str:
        self.made += 1
        return f"{self.made % 9 + 1}AB{1000 + self.made}"

    def capture(self, at: datetime, picture: bytes | None = PNG) -> Capture:
        capture = Capture(
            id=uuid7(at),
            camera=self.camera,
            site=self.site,
            kind=Capture.Kind.FRAME,
            status=Capture.Status.RECOGNISED,
            event_token=uuid.uuid4(),
            content_digest=uuid.uuid4().bytes * 2,
            captured_at=at,
            received_at=at + timedelta(milliseconds=400),
        )
        assign_key(capture, scope=str(self.site.pk), data_class=DataClass.PENDING, now=self.now)
        if picture is not None:
            seal_file(capture, "picture", picture, now=self.now)
        capture.save()
        return capture

    def read(
        self,
        plate: str | None = None,
        *,
        at: datetime | None = None,
        score: float = 0.97,
        verdict: str | None = None,
        reason: str | None = None,
        provisional: bool = False,
        picture: bytes | None = PNG,
        crop: bytes | None = None,
        quad: list[float] | None = None,
    ) -> PlateRead:
        at = at or self.now - timedelta(seconds=self.made)
        text = plate or self.plate()
        capture = self.capture(at, picture)
        common = {
            "site": self.site,
            "camera": self.camera,
            "token_exact": blind.exact(text),
            "token_class": blind.equivalent(text),
            "country": "CZ",
            "char_scores": [min(1.0, score + 0.02 - 0.03 * (n % 3)) for n in range(len(text))],
        }
        row = PlateRead(
            id=uuid7(at),
            capture_id=capture.pk,
            index=0,
            captured_at=at,
            received_at=capture.received_at,
            score=score,
            detector_score=0.93,
            quad=quad or QUAD,
            watched_at=at,
            **common,
        )
        passage = Passage(
            id=uuid7(at),
            status=Passage.Status.CLOSED,
            first_at=at,
            last_at=at,
            received_at=capture.received_at,
            confidence=score,
            first_read_id=row.pk,
            best_read_id=row.pk,
            **common,
        )
        row.passage_id = passage.pk
        for sealed in (row, passage):
            assign_key(sealed, scope=str(self.site.pk), data_class=DataClass.PENDING, now=self.now)
            seal_text(sealed, {"text": text, "candidates": json.dumps([[text, score]])})
        if crop is not None:
            seal_file(row, "crop", crop, now=self.now)
        passage.save()
        row.save()
        if verdict is not None:
            VerdictVersion.objects.create(
                id=uuid7(at),
                site=self.site,
                passage_id=passage.pk,
                version=1,
                seen_at=at,
                decided_at=at,
                provisional=provisional,
                verdict=verdict,
                reason=reason,
                explanation=EXPLANATION,
            )
        return row

    def alert(self, read: PlateRead, by: User, certainty: str = "exact") -> Alert:
        watchlist, _ = Watchlist.objects.get_or_create(
            name="Stolen vehicles",
            defaults={"organisation": self.site.organisation, "purpose": "Police request 12/2026"},
        )
        text = self.plate()
        entry = Entry(
            watchlist=watchlist,
            token_exact=blind.exact(text),
            token_class=blind.equivalent(text),
            country="CZ",
            reason="Reported stolen",
            added_at=self.now,
            added_by=by,
            expires_at=self.now + timedelta(days=30),
        )
        scope = f"org:{self.site.organisation_id}"
        assign_key(entry, scope=scope, data_class=DataClass.ENTRY, now=self.now)
        seal_text(entry, {"text": text})
        entry.save()
        return Alert.objects.create(
            id=uuid7(self.now),
            entry=entry,
            watchlist=watchlist,
            site=self.site,
            camera=self.camera,
            read_id=read.pk,
            capture_id=read.capture_id,
            certainty=certainty,
            why="The text is the listed one."
            if certainty == "exact"
            else "Differs by look-alikes.",
            captured_at=read.captured_at,
            first_seen_at=read.captured_at,
            last_seen_at=read.captured_at,
            created_at=self.now,
        )

    def case(
        self,
        *,
        state: str = "candidate",
        verdict: str = "unpaid",
        reason: str = "no-right",
        minutes: int = 0,
        picture: bytes = PNG,
        crop: bytes | None = PNG,
        shots: int = 1,
        quad: list[float] | None = None,
    ) -> Case:
        text = self.plate()
        opened = self.now - timedelta(minutes=500 - self.made)
        said = VerdictVersion.objects.create(
            id=uuid7(opened),
            site=self.site,
            passage_id=uuid7(opened),
            version=1,
            seen_at=opened,
            decided_at=opened,
            provisional=False,
            verdict=verdict,
            reason=reason,
        )
        case = Case(
            passage_ids=[str(said.passage_id)],
            number=f"{self.now:%Y}-{self.made:06d}",
            site=self.site,
            subject_key=f"passage:{uuid.uuid4()}",
            state=state,
            verdict=verdict,
            reason=reason,
            verdict_id=said.pk,
            overstay_minutes=minutes,
            explanation=EXPLANATION,
            seen_from=opened - timedelta(minutes=95 if shots > 1 else 0),
            seen_to=opened,
            token_exact=blind.exact(text),
            country="CZ",
            confidence=0.96,
            opened_at=opened,
        )
        assign_key(case, scope=str(self.site.pk), data_class=DataClass.CASE, now=self.now)
        seal_text(case, {"text": text})
        case.save()
        CaseEvent.objects.create(case=case, at=opened, to_state=state, actor="stage act")
        for place in range(shots):
            shot = Evidence(
                case=case,
                role=("entry", "exit")[place] if shots > 1 else "passing",
                camera_name=str(self.camera),
                captured_at=(case.seen_from, case.seen_to)[place],
                received_at=(case.seen_from, case.seen_to)[place] + timedelta(seconds=1),
                score=0.96,
                char_scores=[0.99, 0.98, 0.95, 0.99, 0.62, 0.97, 0.99][: len(text)],
                quad=quad or QUAD,
                capture_id=uuid.uuid4(),
                token_exact=blind.exact(text),
            )
            assign_key(shot, scope=str(self.site.pk), data_class=DataClass.CASE, now=self.now)
            seal_text(shot, {"text": text})
            seal_file(shot, "picture", picture, now=self.now)
            if crop is not None:
                seal_file(shot, "crop", crop, now=self.now)
            shot.save()
        return case


EXPLANATION = [
    {
        "right_id": str(uuid.UUID(int=7)),
        "kind": "payment",
        "applied": False,
        "cost": 0,
        "code": "right-ended",
        "sentence": "A parking payment ended 42 minutes before the vehicle left.",
    },
    {
        "right_id": None,
        "kind": "allowance",
        "applied": True,
        "cost": None,
        "code": "grace",
        "sentence": "10 minutes of grace were allowed at the end.",
    },
]


def site_make(name: str = "Riverside car park", organisation: str = "City of Brno") -> Rows:
    """A site with one camera, and a maker of rows for it."""
    owner, _ = Organisation.objects.get_or_create(name=organisation)
    site = Site.objects.create(
        organisation=owner,
        name=name,
        slug=name.lower().replace(" ", "-"),
        kind=Site.Kind.PARKING,
        timezone="Europe/Prague",
    )
    camera = Camera.objects.create(
        site=site,
        name="Lane 1 entry",
        slug="lane-1-entry",
        role=Camera.Role.ENTRY,
        state=Camera.State.ONLINE,
        last_seen_at=datetime.now(UTC),
    )
    return Rows(site, camera)


def person_make(name: str, *held: tuple[Site, str], **more: object) -> User:
    """Somebody with roles at sites."""
    user = User.objects.create_user(name, f"{name}@example.org", "correct-horse-battery", **more)
    for site, role in held:
        SiteRole.objects.create(user=user, site=site, role=role)
    return user
