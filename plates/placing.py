"""Which passage a read belongs to: a batch of reads decided in memory and written at once."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import structlog
from django.db import connection
from django.db.models import Q

from audit.access import Access
from core.ids import uuid7
from inference.voting import Consensus, Seen, consensus
from plates.likeness import same_vehicle, surely_read
from plates.models import Passage, PlateRead
from vault import blind, keyring
from vault.keys import KeyDestroyed
from vault.models import DataClass
from vault.sealing import SealBroken, assign_key, seal_text

log = structlog.get_logger(__name__)

MOST_READS = 25
"""A parked vehicle is read for ever; this many best reads say what it is."""

_OWN_FIELDS = [
    *("first_at", "last_at", "received_at", "reads", "first_read_id", "best_read_id", "agreed"),
    *("text", "candidates", "token_exact", "token_class", "near_classes", "country", "category"),
    *("confidence", "char_scores", "status", "final_at", "revision"),
]
"""What gathering says of a passage; the rest is the judge's and retention's."""
_BEST_READS = """
SELECT best.* FROM unnest(%s::uuid[]) AS passage(id) CROSS JOIN LATERAL (
    SELECT * FROM plates_plateread WHERE passage_id = passage.id ORDER BY score DESC, id LIMIT %s
) best
"""
# the ids once more as a list: from it PostgreSQL sees which partitions it needn't look at
_PLACE = """
UPDATE plates_plateread r SET passage_id = v.passage_id
FROM unnest(%s::uuid[], %s::uuid[]) AS v(id, passage_id)
WHERE r.id = v.id AND r.id = ANY(%s::uuid[])
"""


def seen(row: PlateRead | Passage, access: Access) -> Seen:
    """What a sealed read or passage says, opened within a stage's batch."""
    return Seen(
        text=access.text(row, "text"),
        score=row.score if isinstance(row, PlateRead) else row.confidence,
        char_scores=tuple(row.char_scores),
        candidates=tuple((t, s) for t, s in json.loads(access.text(row, "candidates"))),
    )


def _openable(row: PlateRead | Passage, access: Access) -> Seen | None:
    try:
        return seen(row, access)
    except (KeyDestroyed, SealBroken) as error:
        log.error("gather_unopened", row=str(row.pk), error=type(error).__name__)
        return None


class Placing:
    """A batch of reads being put into passages: everything is looked up at once, decided in memory
    read by read, and written at once, so that the statements don't grow with the reads."""

    def __init__(self, reads: Sequence[PlateRead], access: Access, now: datetime) -> None:
        self.access, self.now = access, now
        self.passage_of: dict[uuid.UUID, uuid.UUID] = {}
        self.changed: dict[uuid.UUID, Passage] = {}
        self.says: dict[uuid.UUID, Seen | None] = {}
        opened = [(read, _openable(read, access)) for read in reads]
        self.near = _near([(read, me) for read, me in opened if me is not None])
        self.members = _members(self.near)
        for read, me in opened:
            # what can't be opened shows no vehicle and must not be asked again for ever: it is put
            # into a passage that isn't, and goes when its time has come (`enforcement.retention`)
            self.passage_of[read.pk] = _passage_id(read) if me is None else self._place(read, me)

    def _place(self, read: PlateRead, me: Seen) -> uuid.UUID:
        passages = self._seen_before(read, me)
        if passages:
            passage = passages[0]
            for other in passages[1:]:
                self._merge(passage, other)
            self._join(passage, read, me)
        else:
            passage = _open_passage(read, me, self.now)
            self.near.append(passage)
            self.members[passage.pk] = [read]
        self.says[read.pk] = me
        self.says.pop(passage.pk, None)  # its text may be another one now
        self.changed[passage.pk] = passage
        return passage.pk

    def _said(self, row: PlateRead | Passage) -> Seen | None:
        """What a row says; opened once."""
        if row.pk not in self.says:
            self.says[row.pk] = _openable(row, self.access)
        return self.says[row.pk]

    def _seen_before(self, read: PlateRead, me: Seen) -> list[Passage]:
        """The passages of the vehicle that the read shows, the oldest first: none where it is a new
        one, several where this late read shows that they were one."""
        view = timedelta(seconds=read.site.debounce_seconds)
        near = [
            one
            for one in self.near
            if one.camera_id == read.camera_id
            and one.quarantined == read.quarantined
            and one.reads
            and one.last_at >= read.captured_at - view
            and one.first_at <= read.captured_at + view
        ]
        found: list[Passage] = []
        for other in sorted(near, key=lambda p: (p.token_class != read.token_class, p.id)):
            if other.token_class != read.token_class:
                what = self._said(other)
                if what is None or not same_vehicle(me, what):
                    continue
                # two neighbours of a fleet are not one because a third text could be either
                if found and other.token_class != found[0].token_class:
                    first = self._said(found[0])
                    if first is None or not same_vehicle(first, what):
                        continue
            found.append(other)
        return sorted(found, key=lambda p: p.id)

    def _merge(self, passage: Passage, other: Passage) -> None:
        """Take the reads of another passage of the same vehicle over. What is left of it has none,
        and is buried by the judge once it has taken back what it said of it (`passages_bury`)."""
        PlateRead.objects.filter(passage_id=other.pk).update(passage_id=passage.pk)
        for read, its in self.passage_of.items():
            if its == other.pk:
                self.passage_of[read] = passage.pk
        self.members[passage.pk] += self.members.pop(other.pk, [])
        if other.first_at < passage.first_at:
            passage.first_at, passage.first_read_id = other.first_at, other.first_read_id
        passage.last_at = max(passage.last_at, other.last_at)
        passage.received_at = min(passage.received_at, other.received_at)
        passage.reads += other.reads
        other.reads = 0
        other.status, other.final_at = Passage.Status.CLOSED, None
        other.revision += 1
        self.changed[other.pk] = other

    def _join(self, passage: Passage, read: PlateRead, me: Seen) -> None:
        """Take a further read in: times, consensus, revision. A closed passage opens again."""
        best = sorted(self.members[passage.pk], key=lambda one: (-one.score, one.pk))[:MOST_READS]
        self.members[passage.pk] = [*best, read]
        said = ((other, self._said(other)) for other in best)
        by_read = [(other, what) for other, what in said if what is not None] + [(read, me)]
        if read.captured_at < passage.first_at:
            passage.first_at, passage.first_read_id = read.captured_at, read.pk
        passage.last_at = max(passage.last_at, read.captured_at)
        passage.received_at = min(passage.received_at, read.received_at)
        passage.reads += 1
        agreed = consensus([what for _, what in by_read])
        _say(passage, agreed)
        first = max(by_read, key=lambda one: (one[1].text == agreed.text, one[0].score, one[0].pk))
        passage.best_read_id = first[0].pk
        passage.agreed = sum(what.text == agreed.text for _, what in by_read) > 1
        passage.country = _one(row.country for row, what in by_read if what.text == agreed.text)
        passage.category = _one(row.category for row, _ in by_read)
        passage.status = Passage.Status.OPEN
        passage.final_at = None
        passage.revision += 1

    def write(self) -> None:
        """Write the passages, and on each read which one is its own."""
        Passage.objects.bulk_create(
            self.changed.values(),
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=_OWN_FIELDS,
        )
        with connection.cursor() as cursor:
            reads = list(self.passage_of)
            cursor.execute(_PLACE, [reads, list(self.passage_of.values()), reads])


def _near(reads: Sequence[tuple[PlateRead, Seen]]) -> list[Passage]:
    """The passages that some of these reads may belong to, locked, by what the blind index tells
    without opening any.

    Only they are locked: gathering needn't wait until others' verdicts are written. While index
    keys are being rotated, tokens can't be compared, and all that were in view are looked at.
    """
    if not reads:
        return []
    in_view = _in_view([read for read, _ in reads])
    if len(keyring.index().keys) == 1:
        own = {read.token_class for read, _ in reads}
        named = {blind.equivalent(text) for _, me in reads for text, _ in me.candidates}
        alike = (
            Q(token_class__in=own | named)
            | Q(near_classes__overlap=list(own))
            | Q(near_classes__isnull=True)
        )
        unsure = {read.camera_id for read, me in reads if not surely_read(me)}
        in_view &= alike | Q(camera_id__in=unsure) if unsure else alike
    locked = Passage.objects.select_for_update(no_key=True).filter(in_view, reads__gt=0)
    return list(locked.order_by("id"))


def _in_view(reads: Sequence[PlateRead]) -> Q:
    """Passages in view of one of these reads' cameras at the time. A camera may deliver what it saw
    days ago among what it sees now; what lies between is none of either's business."""
    by_camera: dict[uuid.UUID, list[PlateRead]] = defaultdict(list)
    for read in reads:
        by_camera[read.camera_id].append(read)
    found = Q()
    for camera_id, here in by_camera.items():
        view = timedelta(seconds=max(read.site.debounce_seconds for read in here))
        spans: list[tuple[datetime, datetime]] = []
        for at in sorted(read.captured_at for read in here):
            first = spans.pop()[0] if spans and at - spans[-1][1] <= 2 * view else at
            spans.append((first, at))
        for first, last in spans:
            found |= Q(camera_id=camera_id, last_at__gte=first - view, first_at__lte=last + view)
    return found


def _members(passages: Sequence[Passage]) -> dict[uuid.UUID, list[PlateRead]]:
    """The best reads of each passage."""
    found: dict[uuid.UUID, list[PlateRead]] = {one.pk: [] for one in passages}
    if passages:
        for read in PlateRead.objects.raw(_BEST_READS, [list(found), MOST_READS]):
            assert read.passage_id is not None
            found[read.passage_id].append(read)
    return found


def _passage_id(first: PlateRead) -> uuid.UUID:
    return uuid7(first.captured_at, seed=b"passage" + first.pk.bytes)


def _open_passage(read: PlateRead, me: Seen, now: datetime) -> Passage:
    passage = Passage(
        id=_passage_id(read),
        site_id=read.site_id,
        camera_id=read.camera_id,
        first_at=read.captured_at,
        last_at=read.captured_at,
        received_at=read.received_at,
        quarantined=read.quarantined,
        first_read_id=read.pk,
        best_read_id=read.pk,
        country=read.country,
        category=read.category,
        class_since=now,
    )
    assign_key(passage, scope=str(read.site_id), data_class=DataClass.PENDING, now=now)
    _say(passage, consensus([me]))
    return passage


def _one(values: Iterable[str]) -> str:
    """The value all agree on, leaving out the silent; "" where they differ."""
    named = {value for value in values if value}
    return named.pop() if len(named) == 1 else ""


def _say(passage: Passage, agreed: Consensus) -> None:
    said = Seen(agreed.text, agreed.confidence, agreed.char_scores, agreed.candidates)
    passage.near_classes = (
        [blind.equivalent(text) for text, _ in agreed.candidates] if surely_read(said) else None
    )
    seal_text(passage, {"text": agreed.text, "candidates": json.dumps(agreed.candidates)})
    passage.token_exact = blind.exact(agreed.text)
    passage.token_class = blind.equivalent(agreed.text)
    passage.confidence = agreed.confidence
    passage.char_scores = list(agreed.char_scores)
