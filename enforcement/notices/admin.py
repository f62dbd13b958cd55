"""Notices in the admin: lists to look through, without what is sealed. They are issued, opened and
sent on the operators' pages, with a purpose."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.adminsite import PlainAdmin, ReadOnly, badge
from enforcement.notices.models import Notice, NoticeDelivery

State = NoticeDelivery.State


@admin.register(Notice)
class NoticeAdmin(ReadOnly, PlainAdmin):
    """Notices that were issued."""

    list_display = ("number", "site", "language", "currency", "amount", "issued_at", "issued_by")
    list_select_related = ("site", "issued_by")
    list_filter = ("site", "language", "issued_at")
    search_fields = ("number",)
    ordering = ("-issued_at",)
    fieldsets = (
        (None, {"fields": ("number", "site", "language", "template_version", "pages")}),
        ("Asked for", {"fields": ("currency", "amount", "discounted", "deadlines")}),
        ("Issued", {"fields": ("issued_at", "issued_by")}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows without what is sealed in them."""
        return super().get_queryset(request).defer("content")


@admin.register(NoticeDelivery)
class NoticeDeliveryAdmin(ReadOnly, PlainAdmin):
    """The outbox, without addresses."""

    list_display = ("notice", "channel", "where_it_is", "attempts", "next_at", "error", "done_at")
    list_select_related = ("notice",)
    list_filter = ("state", "channel", "notice__site")
    search_fields = ("notice__number",)
    ordering = ("-queued_at",)
    fieldsets = (
        (None, {"fields": ("notice", "channel", "where_it_is", "attempts", "error")}),
        ("Times", {"fields": ("queued_at", "next_at", "leased_until", "done_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows without what is sealed in them."""
        return super().get_queryset(request).defer("address", "notice__content")

    @badge(
        "state",
        {
            State.QUEUED.label: "info",
            State.SENDING.label: "info",
            State.SENT.label: "success",
            State.PRINTED.label: "success",
            State.FAILED.label: "danger",
            State.RETURNED.label: "warning",
        },
        ordering="state",
    )
    def where_it_is(self, delivery: NoticeDelivery) -> str:
        return delivery.get_state_display()
