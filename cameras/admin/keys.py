"""Keys in the admin: made, shown once on a page of their own, rotated, revoked.

Shared with the keys of providers (`enforcement.rights.admin`), which live by the same rules.
"""

from abc import abstractmethod
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold import widgets

from audit.adminsite import PlainAdmin, ReadOnly, RowsBelow, badge, page_action
from audit.services import Actor
from cameras.adminsite import (
    actor_of,
    confirm_page,
    form_page,
    moment_field,
    page,
    posted,
    refuse,
    row_or_404,
    text_field,
)
from cameras.keys import device_key_create, device_key_revoke, device_key_rotate
from cameras.models import Camera, DeviceKey
from core.errors import ProductError
from core.models import MachineKey

KEY_FILTERS = (("revoked_at", admin.EmptyFieldListFilter), "expires_at", "last_used_at")
STATE_COLOURS = {"live": "success", "expired": "warning", "revoked": "danger"}


def state_of(key: Any, now: datetime) -> str:
    """Whether a key still opens: live, expired or revoked."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "live"


class KeyForm(forms.Form):
    """A new key: whose, what it is called, until when."""

    owner = forms.ModelChoiceField(queryset=Camera.objects.none())
    label = text_field("Label", most=100, required=False, help_text="For you: where it is used.")
    expires_at = moment_field("Expires", help_text="UTC. Empty: never.")

    def __init__(self, *args: Any, owners: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"] = forms.ModelChoiceField(
            label=owners.model._meta.verbose_name.capitalize(),
            queryset=owners,
            widget=widgets.UnfoldAdminSelectWidget(),
        )
        self.order_fields(["owner", "label", "expires_at"])


class KeyAdmin(ReadOnly, PlainAdmin):
    """What the keys of devices and providers have in common.

    `owner` is the field that says whose a key is.
    """

    owner = ""

    @abstractmethod
    def create(
        self, owner: Any, actor: Actor, now: datetime, label: str, expires_at: datetime | None
    ) -> tuple[Any, str]:
        """A new key and its text, by the room's service."""

    @abstractmethod
    def owners(self) -> Any:
        """Who may be given a key."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django's own permission: keys are added, if by a page of ours."""
        return super(ReadOnly, self).has_add_permission(request)

    @badge("state", STATE_COLOURS)
    def state(self, key: Any) -> str:
        return state_of(key, timezone.now())

    @admin.display(description="prefix", ordering="prefix")
    def shown_prefix(self, key: Any) -> str:
        return f"{key.prefix}…"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Make a key, and show it in this very answer: it is stored hashed."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = {"owner": request.GET.get(self.owner)}
        form = KeyForm(posted(request), owners=self.owners(), initial=initial)
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            try:
                key, text = self.create(
                    said["owner"],
                    actor_of(request),
                    timezone.now(),
                    said["label"],
                    said["expires_at"],
                )
            except ProductError as error:
                refuse(form, error)
            else:
                self.log_addition(request, key, [{"added": {}}])
                return self.secret_page(request, key, text)
        return form_page(
            request,
            self,
            form,
            title="New key",
            submit="Make the key",
            intro="The key is shown once, on the next page. Only its hash is kept.",
        )

    def secret_page(self, request: HttpRequest, key: Model, text: str) -> HttpResponse:
        """The one page that shows a key."""
        response = page(request, self, "secret", title="Your new key", row=key, secret=text)
        response["Cache-Control"] = "no-store"
        return response


@admin.register(DeviceKey)
class DeviceKeyAdmin(KeyAdmin):
    """The keys of cameras."""

    owner = "camera"
    list_display = ("shown_prefix", "camera", "label", "state", "created_at", "last_used_at")
    list_select_related = ("camera__site",)
    list_filter = ("camera__site", *KEY_FILTERS)
    search_fields = ("prefix", "label", "camera__name")
    fields = (
        "camera",
        "label",
        "shown_prefix",
        "state",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    actions_detail = ("rotate", "revoke")

    def create(
        self, owner: Any, actor: Actor, now: datetime, label: str, expires_at: datetime | None
    ) -> tuple[DeviceKey, str]:
        """See `device_key_create`."""
        return device_key_create(
            camera=owner, actor=actor, now=now, label=label, expires_at=expires_at
        )

    def owners(self) -> Any:
        """Every camera."""
        return Camera.objects.select_related("site")

    @page_action(
        "Rotate",
        path="rotate",
        permission="cameras.change_devicekey",
        icon="autorenew",
        unless="revoked_at",
    )
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A successor; the old key works on for a day."""
        key = row_or_404(self, request, object_id)
        form = forms.Form(posted(request))
        if request.method == "POST":
            try:
                fresh, text = device_key_rotate(
                    key=key, actor=actor_of(request), now=timezone.now()
                )
            except ProductError as error:
                form.full_clean()
                refuse(form, error)
            else:
                self.log_change(request, key, "Rotated.")
                self.log_addition(request, fresh, [{"added": {}}])
                return self.secret_page(request, fresh, text)
        return form_page(
            request,
            self,
            form,
            title=f"Rotate {key}",
            submit="Make its successor",
            row=key,
            intro="The successor is shown once. The old key works for 24 hours more, so that the "
            "device can change without a gap.",
        )

    @page_action(
        "Revoke",
        path="revoke",
        permission="cameras.change_devicekey",
        icon="block",
        danger=True,
        unless="revoked_at",
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """From now on it is refused."""
        key = row_or_404(self, request, object_id)

        def do() -> str:
            device_key_revoke(key=key, actor=actor_of(request), now=timezone.now())
            return "The key is revoked."

        return confirm_page(
            request,
            self,
            key,
            title=f"Revoke {key}",
            intro="The device that uses this key is refused from now on. This can't be undone.",
            submit="Revoke the key",
            do=do,
            danger=True,
        )


class KeysBelow(RowsBelow):
    """The keys of a camera, on its page; those of a provider are shown alike."""

    model: type[MachineKey] = DeviceKey
    fields = ("shown_prefix", "label", "state", "created_at", "last_used_at", "expires_at")
    readonly_fields = fields
    ordering = ("-created_at",)

    @admin.display(description="state")
    def state(self, key: MachineKey) -> str:
        return state_of(key, timezone.now())

    @admin.display(description="prefix")
    def shown_prefix(self, key: MachineKey) -> str:
        return f"{key.prefix}…"
