"""The live feed: the latest reads; new ones and new verdicts are fetched here by id."""

import uuid
from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from cameras.access import OPERATE, SEE, sites_of
from dashboard.gates import OperatorRequest, gate
from dashboard.purposes import shift
from dashboard.selectors import reads_by_ids, rows_of
from plates.selectors import reads_latest

MOST = 50


def ids_of(request: OperatorRequest, name: str = "id") -> list[uuid.UUID]:
    """The ids in the query, at most `MOST`; what is none is left out."""
    return ids_among(request.GET.getlist(name), MOST)


def ids_among(values: Iterable[str], most: int) -> list[uuid.UUID]:
    """Those of `values` that are ids, among the first `most`."""
    found = []
    for value in islice(values, most):
        try:
            found.append(uuid.UUID(value))
        except ValueError:
            continue
    return found


def narrow(request: OperatorRequest) -> dict[str, Any]:
    """Limit `request.sites` to the one asked for, if any; what a site filter shows."""
    slug = request.GET.get("site", "").replace("\0", "")  # no column can hold one
    if slug:
        request.sites = request.sites.filter(slug=slug)
    return {"chosen_site": slug}


@gate(*SEE)
def feed(request: OperatorRequest) -> HttpResponse:
    """The page of the feed."""
    context = narrow(request)
    operated = sites_of(request.user, *OPERATE)
    context["rows"] = rows_of(reads_latest(request.sites, MOST), operated)
    context |= {"most": MOST, "auto": shift(request, timezone.now()) is not None}
    return render(request, "dashboard/feed.html", context)


@gate(*SEE)
def feed_reads(request: OperatorRequest) -> HttpResponse:
    """Rows of the reads `id`; or with `latest` of as many newest as are `known`, without those."""
    narrow(request)
    if "latest" in request.GET:
        known = set(ids_of(request, "known"))
        newest = reads_latest(request.sites, max(1, min(MOST, len(known) or MOST)))
        reads = [read for read in newest if read.pk not in known]
    else:
        reads = reads_by_ids(ids_of(request), request.sites)
    rows = rows_of(reads, sites_of(request.user, *OPERATE))
    auto = shift(request, timezone.now()) is not None
    return render(request, "dashboard/feed_rows.html", {"rows": rows, "fresh": True, "auto": auto})


@gate(*SEE)
def feed_verdicts(request: OperatorRequest) -> HttpResponse:
    """The verdict cells of the reads `id`, each to replace its own."""
    rows = rows_of(reads_by_ids(ids_of(request), request.sites), request.sites)
    return render(request, "dashboard/feed_verdicts.html", {"rows": rows})
