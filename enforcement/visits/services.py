"""Stages `judge` and `rejudge`: passages → visits → verdicts that explain themselves.

The first read of a vehicle gets a provisional verdict at once. What comes later (further reads,
other cameras' reports, payments, deadlines) marks the passage as waiting again, and the judge adds
a new version where it now says something else. Cases come only from verdicts that are not
provisional (`enforcement.cases`).
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError

from audit.access import Access, stage_batch
from core.errors import NotFound
from core.stages import ring
from enforcement.visits import carparks, roads
from enforcement.visits.models import VerdictVersion, Visit
from enforcement.visits.neighbours import visit_ends
from enforcement.visits.rejudging import passages_rejudge_due
from plates.models import Passage

__all__ = ["passages_judge", "passages_rejudge_due", "verdict_renew"]

MOST_JUDGED = 100

log = structlog.get_logger(__name__)


def passages_judge(*, now: datetime, limit: int = MOST_JUDGED) -> int:
    """Judge up to `limit` waiting passages of roads, and as many of every waiting car park; how
    many were judged. Several workers may do so at once.

    A passage that can't be judged is logged, keeps waiting and holds up no other.
    """
    return _judge_roads(now, limit) + _judge_carparks(now, limit)


def _each_alone(
    judge: Callable[[Sequence[uuid.UUID] | None], int], waiting: Callable[[], list[uuid.UUID]]
) -> int:
    """Judge a batch; if it fails for another reason than the database, each of it by itself."""
    try:
        return judge(None)
    except (DatabaseError, SoftTimeLimitExceeded):
        raise  # a deadlock, a lost connection, no time: nobody's fault; the sweeper rings again
    except Exception:
        log.exception("judge_batch_failed")
    done = 0
    for passage_id in waiting():
        try:
            done += judge([passage_id])
        except (DatabaseError, SoftTimeLimitExceeded):
            raise
        except Exception:
            log.exception("judge_failed", passage=str(passage_id))
    return done


def _judge_roads(now: datetime, limit: int) -> int:
    def judge(only: Sequence[uuid.UUID] | None) -> int:
        with stage_batch("judge") as access:
            passages = roads.passages_claim(limit=limit, only=only)
            if passages:
                roads.passages_decide(passages, access=access, now=now)
        return len(passages)

    return _each_alone(judge, lambda: roads.passages_waiting(limit=limit))


def _judge_carparks(now: datetime, limit: int) -> int:
    waiting = carparks.sites_waiting()
    # sites nobody else is judging come first; one that another worker holds is waited for only
    # when there is nothing else to do: what came after that worker looked must not be left behind
    judged = [_judge_carpark(site_id, now, limit, wait=False) for site_id in waiting]
    if any(judged):
        if not all(judged):
            ring("judge")
        return sum(judged)
    return sum(_judge_carpark(site_id, now, limit, wait=True) for site_id in waiting)


def _judge_carpark(site_id: uuid.UUID, now: datetime, limit: int, *, wait: bool) -> int:
    def judge(only: Sequence[uuid.UUID] | None) -> int:
        with stage_batch("judge") as access:
            if not carparks.site_lock(site_id, wait=wait):
                return 0
            passages = carparks.passages_waiting(site_id, limit=limit, only=only)
            if passages:
                carparks.passages_decide(passages[0].site, passages, access=access, now=now)
        return len(passages)

    return _each_alone(
        judge, lambda: [one.pk for one in carparks.passages_waiting(site_id, limit=limit)]
    )


def verdict_renew(*, verdict_id: uuid.UUID, access: Access, now: datetime) -> VerdictVersion | None:
    """Judge the subject of a verdict once more, by everything known now; its current version.

    In the caller's transaction, which from here on holds the subject: no other worker can judge it
    before the commit. None when the subject is no more (pairing dissolved the visit, or it is
    forgotten). NotFound for a verdict that never was.
    """
    verdict = VerdictVersion.objects.filter(pk=verdict_id).select_related("site").first()
    if verdict is None:
        raise NotFound("not_found", "There is no such verdict.")
    if verdict.site.kind in carparks.PAIRED:
        carparks.site_lock(verdict.site_id, wait=True)
    passages = _passages_of(verdict)
    if not passages:
        return None
    if verdict.site.kind in carparks.PAIRED:
        carparks.passages_decide(passages[0].site, passages, access=access, now=now)
    else:
        roads.passages_decide(passages, access=access, now=now)
    return (
        VerdictVersion.objects.filter(
            passage_id=verdict.passage_id, visit_id=verdict.visit_id, current=True
        )
        .select_related("site")
        .first()
    )


def _passages_of(verdict: VerdictVersion) -> list[Passage]:
    wanted = {verdict.passage_id} if verdict.passage_id is not None else set()
    if verdict.visit_id is not None:
        visit = Visit.objects.filter(pk=verdict.visit_id).first()
        wanted = visit_ends(visit) if visit is not None else set()
    passages = Passage.objects.filter(pk__in=wanted).select_related(
        "site", "site__organisation", "camera"
    )
    if verdict.site.kind not in carparks.PAIRED:
        passages = passages.select_for_update(no_key=True, of=("self",))
    return list(passages.order_by("id"))
