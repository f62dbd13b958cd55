"""Reading notices. One of a site that isn't the asker's is not there."""

import hashlib
import uuid
from collections.abc import Iterator, Mapping

from django.db.models import Count, QuerySet

from audit.access import Access
from cameras.models import Site
from core.errors import NotFound
from enforcement.cases.manifest import Document
from enforcement.cases.models import Case
from enforcement.notices.deliveries import HELD
from enforcement.notices.models import Notice, NoticeDelivery, PrintBatch

BATCHES_SHOWN = 50


def notice_of(case: Case) -> Notice | None:
    """The notice of a case, if one was issued, without what is sealed in it."""
    found = Notice.objects.filter(case=case).select_related("issued_by", "case").defer("content")
    return found.first()


def documents_of(case: Case, access: Access) -> Iterator[Document]:
    """The notice of a case as it went out, for the case's evidence pack."""
    for notice in Notice.objects.filter(case=case).defer("content"):
        yield Document(f"{notice.number}.pdf", access.file(notice, "pdf"))


def notice_by_link(number: str, secret: str) -> Notice:
    """The notice whose printed address holds this secret; NotFound otherwise."""
    # by the digest alone: what strangers type as a number reaches no query
    digest = hashlib.sha256(secret.encode(errors="replace")).digest()
    notice = (
        Notice.objects.filter(link_digest=digest)
        .select_related("case", "site__organisation")
        .defer("content")
        .first()
    )
    if notice is None or notice.number != number:
        raise NotFound("not_found", "There is no such notice.")
    return notice


def delivery_get(delivery_id: uuid.UUID, sites: "QuerySet[Site]") -> NoticeDelivery:
    """One way a notice of one of `sites` goes out; NotFound otherwise."""
    found = NoticeDelivery.objects.filter(pk=delivery_id, notice__site__in=sites)
    delivery = found.select_related("notice").first()
    if delivery is None:
        raise NotFound("not_found", "There is no such letter here.")
    return delivery


def letters_waiting(sites: "QuerySet[Site]") -> Mapping[uuid.UUID, int]:
    """How many letters wait to be printed, by site; sites without any left out."""
    waiting = NoticeDelivery.objects.filter(
        notice__site__in=sites,
        channel=NoticeDelivery.Channel.PRINT,
        state=NoticeDelivery.State.QUEUED,
    )
    counted = (
        waiting.exclude(HELD).order_by().values_list("notice__site").annotate(count=Count("pk"))
    )
    return dict(counted)


def deliveries_troubled(sites: "QuerySet[Site]") -> "QuerySet[NoticeDelivery]":
    """What did not reach anybody: failed or came back, newest first, while its case is open."""
    return (
        NoticeDelivery.objects.filter(
            notice__site__in=sites,
            state__in=(NoticeDelivery.State.FAILED, NoticeDelivery.State.RETURNED),
            notice__case__state__in=("notice-issued", "appealed", "upheld"),
        )
        .select_related("notice__case", "notice__site")
        .defer("address", "notice__content")
        .order_by("-done_at")
    )


def batches(sites: "QuerySet[Site]") -> "QuerySet[PrintBatch]":
    """What was printed at `sites`, newest first, each with its number of `letters`."""
    return (
        PrintBatch.objects.filter(site__in=sites)
        .select_related("site", "made_by")
        .annotate(letters=Count("deliveries"))
        .order_by("-made_at")[:BATCHES_SHOWN]
    )


def batch_get(batch_id: uuid.UUID, sites: "QuerySet[Site]") -> PrintBatch:
    """A batch of one of `sites`; NotFound otherwise."""
    batch = PrintBatch.objects.filter(pk=batch_id, site__in=sites).select_related("site").first()
    if batch is None:
        raise NotFound("not_found", "There is no such batch here.")
    return batch
