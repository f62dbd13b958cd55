"""Organisations, sites, zones, cameras and roles."""

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold import widgets

from audit.adminsite import AnyForm, AnyInline, RowsBelow, badge, page_action
from cameras.admin.devices import settings_page, setup_page
from cameras.admin.keys import KeysBelow
from cameras.adminsite import AuditedAdmin, row_or_404
from cameras.models import Camera, Organisation, Site, SiteRole, Zone
from cameras.values import country
from core.errors import BadInput

STATE_COLOURS = {"online": "success", "offline": "danger", "never heard of": "info"}


class RolesInline(AnyInline):
    """Who may do what at a site."""

    model = SiteRole
    extra = 0
    tab = True
    autocomplete_fields = ("user",)


class ZonesInline(AnyInline):
    """The parts of a site."""

    model = Zone
    extra = 0
    tab = True


class CamerasBelow(RowsBelow):
    """The cameras of a site, each with a page of its own."""

    model = Camera
    fields = ("name", "slug", "role", "zone", "active", "state", "last_seen_at")
    readonly_fields = fields


@admin.register(Organisation)
class OrganisationAdmin(AuditedAdmin):
    """Who runs sites."""

    list_display = ("name",)
    search_fields = ("name",)


class SiteForm(AnyForm):
    """A site; its regions written as a line of country codes."""

    regions = forms.CharField(
        required=False,
        label="Regions",
        help_text="Countries whose plates are common here, as a hint to the reader: CZ, SK, AT.",
        widget=widgets.UnfoldAdminTextInputWidget(),
    )

    class Meta:
        model = Site
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["regions"] = ", ".join(self.instance.regions)

    def clean_regions(self) -> list[str]:
        """The codes as a list."""
        codes = re.split(r"[\s,;]+", self.cleaned_data["regions"].strip())
        try:
            return [country(code, "regions") for code in codes if code]
        except BadInput as error:
            raise forms.ValidationError(error.sentence) from None


@admin.register(Site)
class SiteAdmin(AuditedAdmin):
    """Sites. What they are judged by and how long they keep things is added by those rooms: they
    put their inlines into `inlines` and their forms into `leads_to`: words, and the name of an
    address that takes `?site=`."""

    form = SiteForm
    list_display = ("name", "slug", "kind", "organisation", "timezone")
    list_select_related = ("organisation",)
    list_filter = ("kind", "organisation")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = (
        (None, {"fields": ("organisation", "name", "slug", "kind", "timezone")}),
        ("Reading", {"fields": ("regions", "regions_strict")}),
        (
            "Limits",
            {"fields": ("debounce_seconds", "skew_limit_seconds", "offline_after_seconds")},
        ),
    )
    inlines = [CamerasBelow, ZonesInline, RolesInline]
    leads_to = [("New camera", "admin:cameras_camera_add")]
    change_form_before_template = "admin/platewarden/site_links.html"


@admin.register(Zone)
class ZoneAdmin(AuditedAdmin):
    """Zones, beside their inline at the site, since cameras name them."""

    list_display = ("name", "site", "places")
    list_select_related = ("site",)
    list_filter = ("site",)
    search_fields = ("name", "site__name")


class CameraForm(AnyForm):
    """A camera, in a zone of its own site."""

    class Meta:
        model = Camera
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        """Refuse a zone of another site."""
        said = super().clean() or {}
        zone, site = said.get("zone"), said.get("site")
        if zone and site and zone.site_id != site.pk:
            self.add_error("zone", "This zone is at another site.")
        return said


@admin.register(Camera)
class CameraAdmin(AuditedAdmin):
    """Cameras, how they are, and their keys."""

    form = CameraForm
    list_display = (
        "name",
        "site",
        "role",
        "active",
        "health",
        "last_seen_at",
        "queue_depth",
        "clock_skew_seconds",
    )
    list_select_related = ("site",)
    list_filter = ("site", "role", "active", "state")
    search_fields = ("name", "slug", "site__name")
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = (
        (None, {"fields": ("site", "name", "slug", "role", "direction", "zone", "active")}),
        ("Position", {"fields": ("latitude", "longitude", "heading")}),
        (
            "As it says itself",
            {"fields": ("state", "last_seen_at", "through", "queue_depth", "clock_skew_seconds")},
        ),
    )
    readonly_fields = ("state", "last_seen_at", "through", "queue_depth", "clock_skew_seconds")
    inlines = [KeysBelow]
    actions_detail = ["device_settings", "set_up", "add_key"]

    @badge("state", STATE_COLOURS, ordering="state")
    def health(self, camera: Camera) -> str:
        return camera.get_state_display()

    @page_action(
        "Device settings",
        path="device-settings",
        permission="cameras.change_camera",
        icon="tune",
    )
    def device_settings(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What its device is to do."""
        return settings_page(self, request, row_or_404(self, request, object_id))

    @page_action(
        "Set up a device", path="set-up", permission="cameras.add_devicekey", icon="qr_code"
    )
    def set_up(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A token by which a device becomes this camera."""
        return setup_page(self, request, row_or_404(self, request, object_id))

    @page_action("New key", path="new-key", permission="cameras.add_devicekey", icon="key")
    def add_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form of a key of this camera."""
        return HttpResponseRedirect(f"{reverse('admin:cameras_devicekey_add')}?camera={object_id}")


@admin.register(SiteRole)
class SiteRoleAdmin(AuditedAdmin):
    """All roles in one list: who may see what."""

    list_display = ("user", "site", "role")
    list_select_related = ("user", "site")
    list_filter = ("site", "role")
    search_fields = ("user__username", "site__name")
    autocomplete_fields = ("user", "site")
