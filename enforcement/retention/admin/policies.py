"""How long each data class is kept, and the table of what counts where."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from audit.adminsite import RowsBelow, page_action
from cameras.admin.sites import SiteAdmin
from cameras.adminsite import AuditedAdmin, actor_of, page
from cameras.models import Site
from enforcement.retention.clocks import DAY, DEFAULT_MINUTES, HOUR
from enforcement.retention.models import Policy
from enforcement.retention.services import policy_set
from vault.models import DataClass

_SITES_A_PAGE = 25
_BY_SITE = [choice for choice in DataClass if choice not in (DataClass.RIGHT, DataClass.ENTRY)]
"""Classes that a site's policy governs; rights and entries have the default clock."""


def in_words(minutes: int) -> str:
    """A time to keep something, in the largest unit that fits."""
    if minutes == 0:
        return "0 – gone at once"
    for unit, name in ((DAY, "day"), (HOUR, "hour")):
        if minutes % unit == 0:
            count = minutes // unit
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{minutes} min"


@admin.register(Policy)
class PolicyAdmin(AuditedAdmin):
    """Where a site keeps a class longer or shorter than the default, and on what basis."""

    list_display = ("site", "data_class", "kept", "default", "why")
    list_select_related = ("site",)
    list_filter = ("data_class", "site")
    ordering = ("site__name", "data_class")
    fields = ("site", "data_class", "keep_minutes", "why")
    actions_list = ["table"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A policy stays with its site and class."""
        return ("site", "data_class") if obj else ()

    @admin.display(description="kept", ordering="keep_minutes")
    def kept(self, policy: Policy) -> str:
        return in_words(policy.keep_minutes)

    @admin.display(description="default")
    def default(self, policy: Policy) -> str:
        return in_words(DEFAULT_MINUTES[policy.data_class])

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store a policy by its service."""
        obj.pk = policy_set(
            site=obj.site,
            data_class=obj.data_class,
            keep_minutes=obj.keep_minutes,
            why=obj.why,
            actor=actor_of(request),
        ).pk

    @page_action(
        "What counts where", path="table", permission="retention.view_policy", icon="table"
    )
    def table(self, request: HttpRequest) -> HttpResponse:
        """Sites by data classes: how long each is kept, the defaults among them."""
        pages = Paginator(Site.objects.order_by("name"), _SITES_A_PAGE)
        sites = pages.get_page(request.GET.get("page"))
        own = {
            (policy.site_id, policy.data_class): policy
            for policy in Policy.objects.filter(site__in=list(sites))
        }
        rows = [
            (site, [_cell(site, choice, own.get((site.pk, choice.value))) for choice in _BY_SITE])
            for site in sites
        ]
        return page(
            request,
            self,
            "policy_table",
            title="How long things are kept",
            classes=[
                (choice.label, in_words(DEFAULT_MINUTES[choice.value])) for choice in _BY_SITE
            ],
            rows=rows,
            sites=sites,
            other=[
                (choice.label, in_words(DEFAULT_MINUTES[choice.value]))
                for choice in (DataClass.RIGHT, DataClass.ENTRY)
            ],
        )


def _cell(site: Site, choice: DataClass, policy: Policy | None) -> dict[str, Any]:
    minutes = policy.keep_minutes if policy else DEFAULT_MINUTES[choice.value]
    where = (
        reverse("admin:retention_policy_change", args=[policy.pk])
        if policy
        else f"{reverse('admin:retention_policy_add')}?site={site.pk}&data_class={choice.value}"
    )
    return {"words": in_words(minutes), "own": policy is not None, "url": where}


class PoliciesBelow(RowsBelow):
    """A site's own policies, on its page."""

    model = Policy
    fields = ("data_class", "keep_minutes", "why")
    readonly_fields = fields


SiteAdmin.inlines = [*SiteAdmin.inlines, PoliciesBelow]
SiteAdmin.leads_to = [*SiteAdmin.leads_to, ("New retention policy", "admin:retention_policy_add")]
