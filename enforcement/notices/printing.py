"""Notices for the printer: taken together, put into one PDF with a list, as often as asked for."""

import csv
import io
from datetime import datetime

from django.db import transaction

from audit.access import reveal_file, stage_batch
from audit.services import Actor, record
from cameras.access import person_actor
from cameras.models import Site
from core.errors import Conflict, NotFound
from core.models import User
from enforcement.cases.models import CLOSED_STATES
from enforcement.notices.deliveries import HELD, PURPOSE
from enforcement.notices.document import Document, documents_join
from enforcement.notices.models import NoticeDelivery, PrintBatch
from enforcement.notices.outbox import CASE_OVER, GONE
from vault.keys import KeyDestroyed
from vault.sealing import SealBroken

MOST_PRINTED = 20
"""Letters of one batch: its PDF is put together in memory, at some twenty bytes for each of it."""
COLUMNS = ("notice", "issued", "language", "pages", "address", "sha256")
_FORMULA = ("=", "+", "-", "@")


def batch_make(*, site: Site, user: User, now: datetime) -> PrintBatch:
    """Take what waits to be printed at a site, oldest first; `MOST_PRINTED` at most.

    Letters of cases that are over by now are taken out. Conflict `nothing_to_print`. The caller has
    checked that `user` may act at the site.
    """
    with transaction.atomic():
        waiting = list(
            NoticeDelivery.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("notice__case")
            .filter(
                notice__site=site,
                channel=NoticeDelivery.Channel.PRINT,
                state=NoticeDelivery.State.QUEUED,
            )
            .exclude(HELD)
            .order_by("queued_at", "pk")[:MOST_PRINTED]
        )
        over = [one.pk for one in waiting if one.notice.case.state in CLOSED_STATES]
        NoticeDelivery.objects.filter(pk__in=over).update(
            state=NoticeDelivery.State.FAILED, error=CASE_OVER, done_at=now
        )
        taken = [one.pk for one in waiting if one.pk not in over]
        if not taken:
            batch = None
        else:
            batch = PrintBatch.objects.create(site=site, made_at=now, made_by=user)
            NoticeDelivery.objects.filter(pk__in=taken).update(
                state=NoticeDelivery.State.PRINTED, batch=batch, done_at=now
            )
            record(
                person_actor(user),
                "change",
                purpose=PURPOSE,
                case_ref=f"print {batch.pk}",
                subject=PrintBatch._meta.label_lower,
                subject_id=batch.pk,
                count=len(taken),
            )
    if batch is None:
        raise Conflict("nothing_to_print", "No letter waits to be printed at this site.")
    return batch


def batch_pdf(*, batch: PrintBatch, user: User) -> bytes:
    """One PDF of a batch's notices as they were issued, in the order of its list.

    Each leaves its audit row. A letter that can't be opened any more is none of those that went
    out: it is listed with what reached nobody. NotFound `forgotten` when that is true of all.
    """
    actor = person_actor(user)
    documents, lost = [], []
    for one in _letters(batch):
        pdf = _opened(one, actor)
        if pdf is None:
            lost.append(one.pk)
        else:
            documents.append(Document(pdf, one.notice.pages))
    if lost:
        NoticeDelivery.objects.filter(pk__in=lost, state=NoticeDelivery.State.PRINTED).update(
            state=NoticeDelivery.State.FAILED, error=GONE
        )
    if not documents:
        raise NotFound("forgotten", "These notices are no longer kept.")
    return documents_join(documents, at=batch.made_at)


def batch_csv(*, batch: PrintBatch, user: User) -> str:
    """The list of a batch for whoever prints and posts it: no plate, but addresses; one audit
    row."""
    held = io.StringIO()
    writer = csv.writer(held)
    writer.writerow(COLUMNS)
    with stage_batch(
        "deliver", actor=person_actor(user), purpose=PURPOSE, action="export"
    ) as access:
        for one in _letters(batch):
            notice = one.notice
            try:
                address = access.text(one, "address")
            except (KeyDestroyed, SealBroken):
                continue
            writer.writerow(
                [
                    notice.number,
                    notice.issued_at.astimezone(batch.site.zone_info).date().isoformat(),
                    notice.language,
                    notice.pages,
                    _plain(address.replace("\n", ", ")),
                    bytes(notice.pdf_sha256).hex(),
                ]
            )
    return held.getvalue()


def _letters(batch: PrintBatch) -> list[NoticeDelivery]:
    letters = batch.deliveries.select_related("notice").order_by("queued_at", "pk")
    return list(letters)


def _opened(letter: NoticeDelivery, actor: Actor) -> bytes | None:
    try:
        return reveal_file(
            letter.notice,
            "pdf",
            actor=actor,
            purpose=PURPOSE,
            case_ref=letter.notice.number,
            action="export",
        )
    except (FileNotFoundError, KeyDestroyed, SealBroken):
        return None


def _plain(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
