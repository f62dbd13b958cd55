"""What was erased, and what would be: the dry run shows what the next run takes."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from audit.adminsite import PlainAdmin, ReadOnly, page_action
from audit.services import record
from cameras.adminsite import actor_of, list_address, page
from enforcement.retention.models import ErasureReport
from enforcement.retention.services import Line, forget
from vault.models import DataClass

COUNTED = ("reads", "passages", "pictures", "other", "held")


@admin.register(ErasureReport)
class ErasureReportAdmin(ReadOnly, PlainAdmin):
    """Reports, one per run, site and data class."""

    list_display = ("at", "site", "data_class", *COUNTED)
    list_select_related = ("site",)
    list_filter = ("site", "data_class", "at")
    ordering = ("-at", "pk")
    fields = ("at", "site", "data_class", *COUNTED, "keys_destroyed")
    actions_list = ["dry_run"]

    @page_action(
        "What is due now",
        path="dry-run",
        permission="retention.view_erasurereport",
        icon="delete_sweep",
    )
    def dry_run(self, request: HttpRequest) -> HttpResponse:
        """Show what is due now; erase it when told to."""
        may_run = request.user.has_perm("retention.add_erasurereport")
        if request.method == "POST" and may_run:
            lines = forget(now=timezone.now())
            record(
                actor_of(request),
                "erase",
                purpose="retention",
                subject=ErasureReport._meta.label_lower,
                count=max(1, sum(line.counts["reads"] + line.counts["other"] for line in lines)),
                detail={"run": "by hand"},
            )
            said = "The run is through." if lines else "Nothing was due."
            messages.success(request, said)
            return HttpResponseRedirect(list_address(self))
        return page(
            request,
            self,
            "dry_run",
            title="What is due now",
            rows=_rows(forget(now=timezone.now(), dry_run=True)),
            counted=COUNTED,
            may_run=may_run,
        )


def _rows(lines: Iterable[Line]) -> list[tuple[Any, str, list[int]]]:
    return [
        (line.site, DataClass(line.data_class).label, [line.counts[name] for name in COUNTED])
        for line in lines
    ]
