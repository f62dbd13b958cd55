"""Search for a plate: asked by POST, so that it stands in no address, log or history."""

import json
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from audit.purposes import for_people
from cameras.access import OPERATE, person_actor
from core.errors import BadInput
from dashboard.gates import OperatorRequest, gate
from dashboard.selectors import rows_of
from plates.selectors import plate_search

MOST = 100


@require_http_methods(["GET", "POST"])
@gate(*OPERATE)
def search(request: OperatorRequest) -> HttpResponse:
    """The form, and what it found."""
    context: dict[str, Any] = {"purposes": for_people(), "most": MOST}
    if request.method == "GET":
        return render(request, "dashboard/search.html", context)
    code, case_ref = request.POST.get("purpose", ""), request.POST.get("case_ref", "").strip()[:64]
    context |= {"code": code, "case_ref": case_ref, "plate": request.POST.get("plate", "")}
    try:
        reads = plate_search(
            plate=request.POST.get("plate", "")[:64],
            sites=request.sites,
            actor=person_actor(request.user, request),
            purpose=code,
            case_ref=case_ref,
            now=timezone.now(),
            limit=MOST,
        )
    except BadInput as error:
        context["error"] = error
        return render(request, "dashboard/search.html", context, status=error.status)
    context["rows"] = rows_of(reads, request.sites)
    # each plate found is opened, and recorded, as it comes into view: for the purpose just stated
    context["slot_vals"] = json.dumps({"purpose": code, "case_ref": case_ref})
    return render(request, "dashboard/search.html", context)
