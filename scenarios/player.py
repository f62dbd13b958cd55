"""Plays one scenario through the product's own services, by the scenario's clock.

Everything happens in one transaction that is taken back at the end: no bell rings, no screen hears
of it, and no file's rights, vehicles or cases meet another's. Retention doesn't run, so nothing is
made ready for it either (`nothing_final`): a right may come however late.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q

from audit.services import Actor
from cameras.intake import Sent
from cameras.models import Camera, Organisation, Site
from cameras.reads import Read
from cameras.services import capture_receive
from core.errors import BadInput, ProductError
from core.models import User
from enforcement.cases.services import cases_act
from enforcement.rights.intake import RightInput
from enforcement.rights.matching import cost
from enforcement.rights.models import Provider, Right, RightTouch, Scheme, SiteRules
from enforcement.rights.outcomes import ACCUSING, SiteKind
from enforcement.rights.selectors import scheme_at
from enforcement.rights.services import right_receive, schemes_load
from enforcement.visits.models import VerdictVersion
from enforcement.visits.selectors import site_suspended
from enforcement.visits.services import passages_judge, passages_rejudge_due
from enforcement.visits.verdicts import nothing_final
from enforcement.watchlist.services import entry_add, reads_watch, watchlist_create
from plates.gathering import passages_end, reads_gather
from plates.models import Passage, PlateRead
from plates.services import captures_recognise
from scenarios.parsing import ReadSpec, RightSpec, Scenario
from scenarios.report import Played, report
from vault import keys

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_DELIVERER = Actor("provider", "scenario", "scenario", "")
_DEBOUNCE_S = 45
_HARDLY = 0.001


class NotSettled(Exception):
    """The product left something undone: a fault of ours, never of the file."""


def play(scenario: Scenario) -> dict[str, Any]:
    """What scenario.md's output says of a scenario. BadInput for what the product refuses."""
    with _taken_back(), nothing_final():
        return _Player(scenario).play()


@contextmanager
def _taken_back() -> Iterator[None]:
    """A transaction in both databases of which nothing stays."""
    keys.forget_cached()
    try:
        with transaction.atomic(using="keys"), transaction.atomic():
            yield
            # what the product would have been refused at its commits must not pass here
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            transaction.set_rollback(True)
            transaction.set_rollback(True, using="keys")
    finally:
        keys.forget_cached()


class _Player:
    """One scenario's site while it lasts."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.begins = scenario.beginning
        self.is_road = scenario.site.kind is not SiteKind.PARKING
        self.played = Played(scenario)
        self.site = self._make_site()
        self.cameras = {
            name: self._make_camera(name, n) for n, name in enumerate(scenario.site.cameras)
        }
        self.provider = Provider.objects.create(
            name=f"scenario {self.site.pk}", organisation=self.site.organisation
        )
        self._make_watchlists()

    def play(self) -> dict[str, Any]:
        """Every event in its order, everything due after each, last the clock at `now`."""
        now = self.scenario.now
        events: list[tuple[datetime, int, int, RightSpec | ReadSpec]] = []
        for n, right in enumerate(self.scenario.rights):
            events.append((right.known_at or self.begins, 0, n, right))
        for read in self.scenario.reads:
            events.append((read.received_at, 1, read.place, read))
        for at, _, place, event in sorted(events, key=lambda one: one[:3]):
            if at > now:
                break
            if isinstance(event, RightSpec):
                self._deliver(event, place, at)
            else:
                self._see(event, at)
                self._take_in(at)
            self._settle(at)
        self._look_once_more(now)
        self._settle(now)
        self._check_settled()
        return report(self.played, self.site)

    # --- the site ----------------------------------------------------------------------------

    def _make_site(self) -> Site:
        spec = self.scenario.site
        key = uuid.uuid4()
        organisation = Organisation.objects.create(name=f"scenario {key}")
        site = Site.objects.create(
            organisation=organisation,
            name="scenario",
            slug=key.hex,
            kind=spec.kind.value,
            timezone=spec.timezone,
            # on a road every read is judged by itself; `report` sees to it that a vehicle in view
            # has one case and one alert all the same
            debounce_seconds=0 if self.is_road else _DEBOUNCE_S,
        )
        if spec.kind is SiteKind.VIGNETTE or any(
            right.data.scheme for right in self.scenario.rights
        ):
            _schemes_from_the_beginning()
        if spec.scheme and not Scheme.objects.filter(code=spec.scheme).exists():
            raise BadInput("unknown_scheme", "There is no such scheme.", field="site.scheme")
        SiteRules.objects.create(
            site=site,
            effective_from=_EPOCH,
            scheme=spec.scheme,
            scope=spec.scope,
            window=dict(spec.window) if spec.window is not None else None,
            confidence_floor=spec.confidence_floor,
            consideration_minutes=spec.consideration_min,
            grace_minutes=spec.grace_min,
            max_stay_minutes=spec.max_stay_min,
            suspended=spec.suspended,
        )
        return site

    def _make_camera(self, name: str, place: int) -> Camera:
        # only a stay's end waits for cameras; the judge of a road, who waits for passages to be
        # whole, must not be kept waiting here, where every read is one
        heard = None if self.is_road else self.scenario.heard
        now = self.scenario.now
        through = now if heard is None else heard.get(name)
        return Camera.objects.create(
            site=self.site,
            name=name,
            slug=f"camera-{place}",
            role=self.scenario.site.cameras[name].value,
            # nobody has delivered the future
            through=None if through is None else min(through, now),
        )

    def _make_watchlists(self) -> None:
        if not self.scenario.watchlist:
            return
        key = self.site.slug
        user = User.objects.create(username=f"scenario-{key}", email=f"{key}@scenario.invalid")
        for n, watch in enumerate(self.scenario.watchlist):
            # a list of its own for each line: the same plate may stand there again, until later
            watchlist = watchlist_create(
                organisation=self.site.organisation,
                name=f"{n} of {self.site.pk}",
                purpose="a scenario",
                user=user,
                needs_approval=False,
                now=self.begins,
            )
            entry = entry_add(
                watchlist=watchlist,
                plate=watch.plate,
                country=watch.country,
                expires_at=watch.expires,
                user=user,
                now=self.begins,
            )
            self.played.entries[entry.pk] = watch

    # --- events ------------------------------------------------------------------------------

    def _deliver(self, spec: RightSpec, place: int, at: datetime) -> None:
        data = replace(spec.data, site=self.site.slug) if spec.data.site else spec.data
        try:
            try:
                right = self._receive(data, at)
            except BadInput as error:
                if (error.code, error.field) != ("ends_before_start", "bought_at"):
                    raise
                # no seller may deliver such a vignette; in a scenario it is one that covers nothing
                right = self._receive(replace(data, bought_at=_last_instant(data, at)), at)
        except ProductError as error:
            where = f"rights[{place}]" + (f".{error.field}" if error.field else "")
            raise BadInput(error.code, error.sentence, field=where) from None
        self.played.rights[right.pk] = spec.name

    def _receive(self, data: RightInput, at: datetime) -> Right:
        right, _ = right_receive(provider=self.provider, data=data, actor=_DELIVERER, now=at)
        return right

    def _other_texts(self, spec: ReadSpec) -> list[list[str | float]]:
        """What the reader thought of besides: what the file says, and at a car park the texts one
        slip away that the camera read while the vehicle was in view. A scenario says nothing of
        single characters, by which the product tells frames of one vehicle from its neighbour's."""
        named: list[list[str | float]] = [[text, score] for text, score in spec.candidates]
        if self.is_road:
            return named
        near = {
            other.plate: None
            for other in self.scenario.reads
            if other.camera == spec.camera
            and abs((other.at - spec.at).total_seconds()) <= _DEBOUNCE_S
            and other.plate != spec.plate
            and cost(other.plate, spec.plate) <= 1
        }
        # hardly thought of: where frames differ, most of them decide
        return named + [[text, min(spec.confidence, _HARDLY)] for text in near]

    def _see(self, spec: ReadSpec, at: datetime) -> None:
        sent = Sent(
            kind="read",
            captured_at=spec.at,
            event=f"id:{spec.name}",
            read=Read(
                text=spec.plate,
                score=spec.confidence,
                char_scores=list(spec.char_scores),
                candidates=self._other_texts(spec),
                country=spec.country,
                category=spec.category,
                quad=None,
                box=None,
            ),
        )
        capture = capture_receive(camera=self.cameras[spec.camera], sent=sent, now=at)
        self.played.captures[capture.pk] = spec

    def _take_in(self, now: datetime) -> None:
        """What the workers do with the one capture that has just come."""
        captures_recognise(now=now)
        reads_watch(now=now)
        reads_gather(now=now)
        passages_end(site_id=self.site.pk)

    def _settle(self, now: datetime) -> None:
        """What the workers do until nothing is left to do."""
        if not self.played.captures:
            return  # rights alone move nothing
        moved = 1
        while moved or RightTouch.objects.exists():
            moved = passages_rejudge_due(now=now) + passages_judge(now=now) + cases_act(now=now)

    def _look_once_more(self, now: datetime) -> None:
        """Have judged at the last moment what is a question of the moment, and what nothing that
        happens then would ask again: whether an exit camera is silent, whether too many orphans
        suspend the site."""
        verdicts = VerdictVersion.objects.filter(site=self.site, current=True)
        asked = Q(visit_status="open")
        if self.site.kind == Site.Kind.PARKING and site_suspended(self.site, now):
            asked |= Q(visit_id__isnull=False, verdict__in=[one.value for one in ACCUSING])
        verdicts.filter(asked).update(due_at=now)

    def _check_settled(self) -> None:
        """Stages log what they can't do and leave it: nothing may be left here."""
        waiting = (
            PlateRead.objects.filter(Q(passage_id__isnull=True) | Q(watched_at__isnull=True)),
            Passage.objects.exclude(judged_revision=F("revision")),
            VerdictVersion.objects.filter(act_due=True),
        )
        read = PlateRead.objects.filter(site=self.site).count()
        if read != len(self.played.captures) or any(rows.exists() for rows in waiting):
            raise NotSettled


def _last_instant(data: RightInput, at: datetime) -> datetime:
    """The last instant of a vignette, whenever it was bought."""
    value = scheme_at(data.scheme, at).right(
        id="",
        plate=data.plates[0],
        country=None,
        category=data.category,
        product=data.product,
        first_day=data.first_day,
        year=data.year,
    )
    return value.end - timedelta(microseconds=1)


def _schemes_from_the_beginning() -> None:
    """The schemes that ship, the first version of each in force at any time: a scenario may play
    before a scheme's own first day."""
    schemes_load()
    first: dict[str, Scheme] = {}
    for row in Scheme.objects.order_by("-effective_from"):
        first[row.code] = row
    Scheme.objects.filter(pk__in=[row.pk for row in first.values()]).update(effective_from=_EPOCH)
