"""A camera's device in the admin: its settings, and the token that sets it up."""

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold import widgets

from audit.adminsite import AnyAdmin
from cameras.adminsite import (
    actor_of,
    address,
    form_page,
    page,
    person_of,
    posted,
    refuse,
)
from cameras.device_settings import SETTINGS, Setting, checked, device_settings_save
from cameras.enrolment import LIFE, setup_token_create
from cameras.models import Camera, DeviceSettings
from core.errors import BadInput, ProductError

_MOST_TEXT = 2000


class CornersField(forms.CharField):
    """A polygon written as `0.1,0.4 0.9,0.4 1,1`."""

    def prepare_value(self, value: Any) -> Any:
        """The corners as text; what was typed stays as it was typed."""
        if not isinstance(value, list):
            return value
        return " ".join(",".join(f"{part:g}" for part in corner) for corner in value)

    def clean(self, value: Any) -> Any:
        """The corners as pairs of numbers."""
        corners = re.split(r"[\s;]+", str(super().clean(value)).strip())
        try:
            return [[float(part) for part in corner.split(",")] for corner in corners if corner]
        except ValueError:
            raise forms.ValidationError(
                "Write corners like 0.1,0.4 with a blank between them."
            ) from None


class CodesField(forms.CharField):
    """Codes of countries in a line."""

    def prepare_value(self, value: Any) -> Any:
        """The codes as text."""
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """The codes as a list."""
        return [code for code in re.split(r"[\s,;]+", str(super().clean(value)).strip()) if code]


def _field(one: Setting) -> forms.Field:
    line = widgets.UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    common: dict[str, Any] = {"label": one.label, "help_text": one.help}
    match one.kind:
        case "word":
            return forms.ChoiceField(
                choices=one.words, widget=widgets.UnfoldAdminSelectWidget(), **common
            )
        case "flag":
            return forms.BooleanField(
                required=False, widget=widgets.UnfoldBooleanSwitchWidget(), **common
            )
        case "polygon":
            return CornersField(required=False, max_length=_MOST_TEXT, widget=line, **common)
        case "regions":
            return CodesField(required=False, max_length=_MOST_TEXT, widget=line, **common)
        case _:
            number: Any = forms.IntegerField if one.kind == "whole" else forms.FloatField
            wheel = widgets.UnfoldAdminIntegerFieldWidget(attrs={"step": "any"})
            made: forms.Field = number(
                min_value=one.low, max_value=one.high, widget=wheel, **common
            )
            return made


class SettingsForm(forms.Form):
    """Every setting of the table; checked once more as the service checks it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for one in SETTINGS.values():
            self.fields[one.name] = _field(one)

    def clean(self) -> dict[str, Any]:
        """What the table refuses is told at its field."""
        said = super().clean() or {}
        if not self.errors:
            try:
                said = checked(said)
            except BadInput as error:
                refuse(self, error)
        return said


def settings_page(admin: AnyAdmin, request: HttpRequest, camera: Camera) -> HttpResponse:
    """The form of what a camera's device is to do."""
    row = DeviceSettings.objects.filter(camera=camera).first()
    initial = checked({}) | (
        row.values
        if row is not None
        else {"regions": camera.site.regions, "regions_strict": camera.site.regions_strict}
    )
    form = SettingsForm(posted(request), initial=initial)
    if request.method == "POST" and form.is_valid():
        saved = device_settings_save(
            camera=camera,
            raw=form.cleaned_data,
            user=person_of(request),
            actor=actor_of(request),
            now=timezone.now(),
        )
        said = f"Version {saved.version} of the settings goes out with the next heartbeat."
        admin.log_change(request, camera, f"Device settings: version {saved.version}.")
        messages.success(request, said)
        return HttpResponseRedirect(address(camera))
    state = "" if row is None else f" Version {row.version} is {row.state.label}."
    return form_page(
        request,
        admin,
        form,
        title=f"Device settings of {camera}",
        submit="Save",
        row=camera,
        intro="For the device of this camera, if it runs our agent. It takes new settings with its "
        f"next heartbeat, without a restart, or says which one it can't take.{state}",
    )


def setup_page(admin: AnyAdmin, request: HttpRequest, camera: Camera) -> HttpResponse:
    """Make a set-up token, and show it in this very answer: it is stored hashed."""
    form = forms.Form(posted(request))
    if request.method == "POST":
        try:
            invitation = setup_token_create(
                camera=camera, actor=actor_of(request), now=timezone.now()
            )
        except ProductError as error:
            form.full_clean()
            refuse(form, error)
        else:
            admin.log_change(request, camera, "Set-up token made.")
            response = page(
                request,
                admin,
                "setup",
                title=f"Set up a device as {camera}",
                row=camera,
                invitation=invitation,
            )
            response["Cache-Control"] = "no-store"
            return response
    return form_page(
        request,
        admin,
        form,
        title=f"Set up a device as {camera}",
        submit="Make the token",
        row=camera,
        intro="The token is shown once, on the next page, as text and as QR code. It is good once, "
        f"for {LIFE.total_seconds() / 60:.0f} minutes, and replaces one made before.",
    )
