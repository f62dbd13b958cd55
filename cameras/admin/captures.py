"""What devices sent, as a list of how it went. No pictures and nothing sealed: those are opened
with a purpose on the operator's pages."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.adminsite import PlainAdmin, ReadOnly, badge
from cameras.models import Camera, Capture, DayCount, Heartbeat

_SEALED = ("read", "content_digest", "picture_sha256")


class CameraFilter(admin.SimpleListFilter):
    """Rows of one camera; the choices are looked up together with their sites."""

    title = "camera"
    parameter_name = "camera"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every camera."""
        return [(str(one.pk), str(one)) for one in Camera.objects.select_related("site")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the chosen one; of none where the address names no camera."""
        chosen = dict(self.lookup_choices)
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(camera=value) if value in chosen else queryset.none()


@admin.register(Capture)
class CaptureAdmin(ReadOnly, PlainAdmin):
    """Captures and what became of them."""

    list_display = (
        "captured_at",
        "camera",
        "kind",
        "went",
        "failure",
        "clock",
        "delay",
        "to_verdict",
        "attempts",
    )
    list_select_related = ("camera__site",)
    list_filter = ("status", "kind", "quarantined", "failure", "site", CameraFilter)
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("id", "camera", "kind", "went", "failure", "failure_sentence")}),
        (
            "Times",
            {
                "fields": (
                    "captured_at",
                    "received_at",
                    "recognised_at",
                    "judged_at",
                    "clock",
                    "attempts",
                )
            },
        ),
        ("What it says", {"fields": ("exposure_text", "picture_bytes", "outcome_text")}),
        ("Sealing", {"fields": ("data_class",)}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows without what is sealed in them."""
        return super().get_queryset(request).defer(*_SEALED)

    @badge(
        "status",
        {"recognised": "success", "unreadable": "warning", "failed": "danger", "received": "info"},
        ordering="status",
    )
    def went(self, capture: Capture) -> str:
        return capture.status

    @badge("clock", {"off": "warning"})
    def clock(self, capture: Capture) -> str:
        return "off" if capture.quarantined else "ok"

    @admin.display(description="sent after")
    def delay(self, capture: Capture) -> str:
        return f"{(capture.received_at - capture.captured_at).total_seconds():.1f} s"

    @admin.display(description="to verdict")
    def to_verdict(self, capture: Capture) -> str:
        if capture.judged_at is None:
            return "–"
        return f"{(capture.judged_at - capture.received_at).total_seconds():.1f} s"

    @admin.display(description="exposure")
    def exposure_text(self, capture: Capture) -> SafeString:
        return _as_json(capture.exposure)

    @admin.display(description="outcome")
    def outcome_text(self, capture: Capture) -> SafeString:
        return _as_json(capture.outcome)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnly, PlainAdmin):
    """What devices said of themselves in the last seven days."""

    list_display = ("received_at", "camera", "queue_depth", "clock_skew_seconds", "through")
    list_select_related = ("camera__site",)
    list_filter = (CameraFilter,)
    ordering = ("-received_at",)
    fields = (
        "camera",
        "received_at",
        "sent_at",
        "through",
        "queue_depth",
        "clock_skew_seconds",
        "detail_text",
    )

    @admin.display(description="detail")
    def detail_text(self, heartbeat: Heartbeat) -> SafeString:
        return _as_json(heartbeat.detail)


@admin.register(DayCount)
class DayCountAdmin(ReadOnly, PlainAdmin):
    """Per camera and day: captures, plates read, and what was turned down, by reason."""

    list_display = ("day", "camera", "what", "count")
    list_select_related = ("camera__site",)
    list_filter = (("day", admin.DateFieldListFilter), "what", CameraFilter)
    ordering = ("-day", "camera", "what")
    fields = ("day", "camera", "what", "count")


def _as_json(value: Any) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=1, ensure_ascii=False))
