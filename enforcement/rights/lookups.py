"""The last look before a case is opened: providers are asked whether the vehicle paid after all.

Whoever is about to open a case says so (`lookups_before`), in the transaction that would open it,
and leaves it unopened while a question waits. The stage `lookup` asks over HTTP, outside of any
transaction, stores the rights an answer brings like delivered ones and rings `act`, which judges
anew. A provider that doesn't answer is asked again, ever more rarely; when the site's wait is over
the case is opened for a person to look at, never as a candidate.

A question is a POST of

    {"id", "site", "plates": […], "country", "from", "to"}

signed like a provider's own events (`enforcement.rights.webhooks`); an answer is a 200 with

    {"id": the same, "rights": [rights as for POST /api/v1/rights, perhaps none]}

Anything else is no answer: neither paid nor unpaid.
"""

import json
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Unfinished
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from audit.access import reveal_text
from audit.services import Actor
from cameras.bodies import strict_json
from cameras.models import Site
from core.errors import ProductError
from core.ids import uuid7
from core.leases import claim
from core.stages import ring, ring_now
from enforcement.rights.asking import AskFailed, Reach, ask
from enforcement.rights.channels import Lookup, LookupService, WebhookEvent
from enforcement.rights.intake import right_input
from enforcement.rights.models import Provider, Right
from enforcement.rights.selectors import rules_at
from enforcement.rights.services import right_receive
from enforcement.rights.webhooks import signed_headers
from plates.models import Passage
from vault.keys import KeyDestroyed
from vault.sealing import SealBroken

FRESH = timedelta(minutes=15)
"""For so long an answer counts as right before the case is opened."""
GIVE_UP = timedelta(hours=24)
"""After so long nobody asks again; the case was opened long before."""
KEEP = timedelta(days=7)
"""Questions and events are forgotten after this."""

MOST_AT_ONCE = 16
MOST_RIGHTS = 50
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=5)
_FAILURES = 5
_SHUT = timedelta(seconds=30)
_SHUT_LONGEST = timedelta(minutes=10)
_LEASE = timedelta(seconds=60)
_WITH_SITE = (Right.Kind.PAYMENT, Right.Kind.ZONE_PAYMENT, Right.Kind.PERMIT, Right.Kind.EXEMPTION)

log = structlog.get_logger(__name__)


# --- before a case is opened ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """How the questions about a subject stand: how many providers are still waited for, how many
    answered (and knew of nothing that counts), how many didn't in time."""

    waiting: int = 0
    answered: int = 0
    unheard: int = 0


def services_at(site: Site) -> "QuerySet[LookupService]":
    """Look-ups in use of the providers whose rights count at `site`."""
    named = Provider.sites.through.objects.filter(provider=OuterRef("provider"))
    return LookupService.objects.filter(
        Q(Exists(named.filter(site=site)))
        | ~Q(Exists(named)) & Q(provider__organisation=site.organisation_id),
        active=True,
        provider__active=True,
    ).order_by("pk")


def lookups_before(
    *,
    site: Site,
    subject_key: str,
    verdict_id: uuid.UUID,
    passages: Sequence[Passage],
    seen_at: datetime,
    now: datetime,
) -> Standing:
    """Have every provider that can be asked about a subject asked, and say how that stands.

    In the caller's transaction, which holds the subject. While `waiting` is not 0 the caller leaves
    its case unopened: `lookups_held` names its verdict until all have answered, or until the wait
    of the rules in force at `seen_at` is over.
    """
    services = list(services_at(site))
    if not services:
        return Standing()
    known = {
        lookup.provider_id: lookup
        for lookup in Lookup.objects.select_for_update().filter(
            subject_key=subject_key, provider__in=[service.pk for service in services]
        )
    }
    wait = timedelta(minutes=rules_at(site, seen_at).lookup_wait_minutes)
    waiting = answered = unheard = 0
    for service in services:
        lookup = known.get(service.pk)
        if lookup is not None and _is_over(lookup, now):
            lookup.delete()
            lookup = None
        if lookup is None:
            Lookup.objects.create(
                id=uuid7(now),
                provider_id=service.pk,
                site=site,
                subject_key=subject_key,
                verdict_ids=[verdict_id],
                passage_ids=[passage.pk for passage in passages],
                seen_from=min(passage.first_at for passage in passages),
                seen_to=max(passage.last_at for passage in passages),
                asked_at=now,
                hold_until=now + wait,
                next_try_at=now,
            )
            waiting += 1
        elif lookup.state == Lookup.State.ANSWERED:
            answered += 1
        elif lookup.hold_until <= now:
            unheard += 1
        else:
            waiting += 1
            if verdict_id not in lookup.verdict_ids:
                lookup.verdict_ids = [*lookup.verdict_ids, verdict_id]
                lookup.save(update_fields=["verdict_ids"])
    if waiting:
        ring("lookup")
    return Standing(waiting, answered, unheard)


def _is_over(lookup: Lookup, now: datetime) -> bool:
    """Asked for an earlier case: it says nothing about a payment made since."""
    if lookup.state == Lookup.State.ANSWERED:
        return lookup.answered_at is None or lookup.answered_at < now - FRESH
    return lookup.asked_at <= now - GIVE_UP


def lookups_standing(subject_key: str) -> Standing:
    """How the questions about a subject whose case is open stand; asks none."""
    states = Lookup.objects.filter(subject_key=subject_key).values_list("state", flat=True)
    answered = sum(state == Lookup.State.ANSWERED for state in states)
    return Standing(0, answered, len(states) - answered)


def lookups_end(subject_key: str) -> None:
    """Ask nobody about a subject any more: no case is asked for, or it is decided."""
    Lookup.objects.filter(subject_key=subject_key, state=Lookup.State.WAITING).delete()


def lookups_held(now: datetime) -> set[uuid.UUID]:
    """The verdicts whose cases wait for a provider's answer."""
    held = _askable().filter(hold_until__gt=now).values_list("verdict_ids", flat=True)
    return {verdict_id for ids in held for verdict_id in ids}


def cases_waiting(sites: "QuerySet[Site]", now: datetime) -> int:
    """How many cases of `sites` aren't opened yet because a provider hasn't answered."""
    held = _askable().filter(site__in=sites, hold_until__gt=now)
    return held.values("subject_key").distinct().count()


def _askable() -> "QuerySet[Lookup]":
    """Questions that wait, of providers that are still asked."""
    return Lookup.objects.filter(
        state=Lookup.State.WAITING, provider__active=True, provider__lookup__active=True
    )


# --- the stage -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Asked:
    """A question on its way. `said` is the answer's body, or why there was none."""

    lookup: Lookup
    service: LookupService
    body: bytes = field(repr=False)
    said: bytes | AskFailed = field(default=b"", repr=False)


def lookups_ask(*, now: datetime, limit: int = MOST_AT_ONCE) -> int:
    """Ask what is due, at most `limit` questions, all at the same time; how many were asked.

    A worker that dies meanwhile leaves leases that expire: then it is asked again.
    """
    asked = [one for one in map(_prepared, _claimed(now, limit)) if one is not None]
    if not asked:
        return 0
    _exchange_all(asked)
    for one in asked:
        try:
            _settle(one, now)
        except ProductError as error:  # of a right in the answer: not one of ours to judge by
            _failed(one, error.code, now)
    ring_now("act")
    return len(asked)


def lookups_tidy(*, now: datetime) -> int:
    """Forget old questions and events, and stop asking what nobody will ever answer; how many."""
    ended = _askable().filter(asked_at__lte=now - GIVE_UP).update(state=Lookup.State.GIVEN_UP)
    gone, _ = Lookup.objects.filter(asked_at__lte=now - KEEP).delete()
    past, _ = WebhookEvent.objects.filter(received_at__lte=now - KEEP).delete()
    return ended + gone + past


def _claimed(now: datetime, limit: int) -> list[tuple[Lookup, LookupService]]:
    """Due questions, leased: of every provider as many, so that a slow one with a crowd before it
    keeps no other waiting; of one whose breaker is half open only one."""
    due = _askable().filter(next_try_at__lte=now)
    found: list[tuple[Lookup, LookupService]] = []
    services = list(LookupService.objects.filter(provider__in=due.values("provider")))
    for service in services:
        most = max(1, limit // len(services))
        if service.open_until is not None:
            trying = LookupService.objects.filter(
                pk=service.pk, open_until=service.open_until, open_until__lte=now
            ).update(open_until=now + _LEASE)
            most = min(most, trying)
        if most > 0:
            theirs = due.filter(provider=service.pk).select_related(
                "provider__organisation", "site"
            )
            found += [(row, service) for row in claim(theirs, limit=most, lease=_LEASE, now=now)]
    return found


def _prepared(claimed: tuple[Lookup, LookupService]) -> _Asked | None:
    """The question as it will be sent. What is sent is written to the audit log first, as the
    provider's look at each plate; None where the passages are forgotten by now."""
    lookup, service = claimed
    provider = lookup.provider
    actor = Actor("provider", provider.name, provider.organisation.name, "look-up")
    passages = Passage.objects.filter(pk__in=lookup.passage_ids).order_by("first_at", "pk")
    by_token = {passage.token_exact: passage for passage in passages}
    try:
        with transaction.atomic():
            plates = [
                reveal_text(
                    passage, "text", actor=actor, purpose="payment-lookup", action="look-up"
                )
                for passage in by_token.values()
            ]
    except (KeyDestroyed, SealBroken) as error:
        log.warning("lookup_unopened", lookup=str(lookup.pk), error=type(error).__name__)
        plates = []
    if not plates:
        Lookup.objects.filter(pk=lookup.pk).delete()
        return None
    question = {
        "id": str(lookup.pk),
        "site": lookup.site.slug,
        "plates": plates,
        "country": next(iter(by_token.values())).country or None,
        "from": lookup.seen_from.isoformat(),
        "to": lookup.seen_to.isoformat(),
    }
    return _Asked(lookup, service, json.dumps(question).encode())


def _exchange_all(asked: Sequence[_Asked]) -> None:
    """The HTTP of all questions at once, outside of any transaction."""
    reach = Reach(settings.LOOKUP_HOSTS, settings.LOOKUP_NETWORKS)
    pool = ThreadPoolExecutor(len(asked), thread_name_prefix="lookup")
    futures: list[tuple[_Asked, Future[bytes]]] = []
    for one in asked:
        headers = signed_headers(one.lookup.provider, str(one.lookup.pk), one.body)
        futures.append(
            (
                one,
                pool.submit(
                    ask,
                    one.service.url,
                    one.body,
                    headers=headers,
                    timeout=float(one.service.timeout_seconds),
                    reach=reach,
                ),
            )
        )
    for one, future in futures:
        try:
            # a resolver has no time-out of its own: whoever hangs there is left behind
            one.said = future.result(timeout=2 * one.service.timeout_seconds + 5)
        except AskFailed as error:
            one.said = error
        except Unfinished:
            one.said = AskFailed("no_answer")
    pool.shutdown(wait=False)


def _settle(one: _Asked, now: datetime) -> None:
    """Store what an answer brings. ProductError where it holds something that is no right of
    theirs: what is right in it is stored all the same, but it is no answer."""
    if isinstance(one.said, AskFailed):
        _failed(one, one.said.code, now)
        return
    rights = _rights_in(one.said, one.lookup)
    if rights is None:
        _failed(one, "answer_garbage", now)
        return
    provider = one.lookup.provider
    actor = Actor("provider", provider.name, provider.organisation.name, "look-up")
    wrong: ProductError | None = None
    for data in rights:
        try:
            right_receive(provider=provider, data=right_input(data), actor=actor, now=now)
        except ProductError as error:
            wrong = wrong or error
    if wrong is not None:
        raise wrong
    mine = Lookup.objects.filter(pk=one.lookup.pk, state=Lookup.State.WAITING)
    mine.update(
        state=Lookup.State.ANSWERED,
        answered_at=now,
        found=len(rights),
        last_error="",
        lease_until=None,
    )
    LookupService.objects.filter(pk=one.service.pk).update(
        failures=0, open_until=None, last_answer_at=now, last_error=""
    )


def _rights_in(said: bytes, lookup: Lookup) -> list[Any] | None:
    """The rights of an answer to this very question; None where it is none."""
    try:
        answer = strict_json(said)
    except ValueError:
        return None
    if not isinstance(answer, dict) or answer.get("id") != str(lookup.pk):
        return None
    rights = answer.get("rights")
    if not isinstance(rights, list) or len(rights) > MOST_RIGHTS:
        return None
    for right in rights:
        if isinstance(right, dict) and right.get("kind") in _WITH_SITE:
            right.setdefault("site", lookup.site.slug)
    return rights


def _failed(one: _Asked, code: str, now: datetime) -> None:
    """Try again later, and after several failures leave the provider alone for a while."""
    lookup, code = one.lookup, code[:40]
    pause = min(_FIRST_PAUSE * 2 ** min(lookup.attempts - 1, 10), _LONGEST_PAUSE)
    Lookup.objects.filter(pk=lookup.pk, state=Lookup.State.WAITING).update(
        next_try_at=now + pause, last_error=code, lease_until=None
    )
    service = LookupService.objects.filter(pk=one.service.pk)
    service.update(failures=F("failures") + 1, last_error=code)
    failures = service.values_list("failures", flat=True).first() or 0
    if failures >= _FAILURES:
        shut = min(_SHUT * 2 ** min(failures - _FAILURES, 10), _SHUT_LONGEST)
        service.update(open_until=now + shut)
    log.warning("lookup_failed", provider=str(one.service.pk), code=code, failures=failures)
