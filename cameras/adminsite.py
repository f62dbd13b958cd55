"""Changing rows in the admin: through services where a room has one, always audited.

Whoever acts, acts as `cameras.access.person_actor` says. Refusals of a service (`ProductError`) are
told on the page; none of them quotes a plate.
"""

import json
import uuid
from collections.abc import Callable, Iterable
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model
from django.forms.fields import InvalidJSONInput
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold import widgets

from audit.access import reveal_text
from audit.adminsite import AnyAdmin, PlainAdmin
from audit.purposes import for_people
from audit.services import Actor
from cameras.access import person_actor
from cameras.registry import Managed, change_record, registry_delete, registry_save
from core.errors import ProductError
from core.models import User
from vault.keys import KeyDestroyed
from vault.models import SealedRow

REF_LENGTH = 64
_PAGES = "admin/platewarden"


def person_of(request: HttpRequest) -> User:
    """Who is logged in; the admin lets nobody else in."""
    return cast(User, request.user)


def actor_of(request: HttpRequest) -> Actor:
    """Who acts, for services and the audit log."""
    return person_actor(person_of(request), request)


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form was sent with, be it nothing; None where none was sent."""
    return request.POST if request.method == "POST" else None


# --- rows ---------------------------------------------------------------------------------------


def row_save(row: Model, *, actor: Actor, changed: Iterable[str]) -> None:
    """Store a row and append to the audit log which fields changed; never their values."""
    if isinstance(row, Managed):
        registry_save(row=row, actor=actor, changed=changed)
        return
    what = "created" if row._state.adding else "changed"
    with transaction.atomic():
        row.save()
        change_record(row, actor, what, sorted(changed))


def row_delete(row: Model, *, actor: Actor) -> None:
    """Delete a row and append that to the audit log."""
    if isinstance(row, Managed):
        registry_delete(row=row, actor=actor)
        return
    with transaction.atomic():
        change_record(row, actor, "deleted", [])
        row.delete()


class AuditedAdmin(PlainAdmin):
    """Rows are saved and deleted by `row_save` and `row_delete`, those of inlines too."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store what the form says."""
        row_save(obj, actor=actor_of(request), changed=form.changed_data)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete the row."""
        row_delete(obj, actor=actor_of(request))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Store the rows of an inline."""
        actor = actor_of(request)
        rows = formset.save(commit=False)
        changed = {id(row): fields for row, fields in formset.changed_objects}
        for row in formset.deleted_objects:
            row_delete(row, actor=actor)
        for row in rows:
            row_save(row, actor=actor, changed=changed.get(id(row), ()))
        formset.save_m2m()

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The form of a row; what a service refuses after all is told, and nothing is stored."""
        if request.method != "POST":
            return super().changeform_view(request, *args, **kwargs)
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ProductError as error:
            messages.error(request, error.sentence)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        return HttpResponseRedirect(request.get_full_path())


# --- pages of our own ---------------------------------------------------------------------------


def row_or_404(admin: AnyAdmin, request: HttpRequest, object_id: str) -> Any:
    """The row an address names, if there is one and this person may see it; else Http404."""
    row = admin.get_object(request, object_id)
    if row is None or not admin.has_view_permission(request, row):
        raise Http404
    return row


def address(row: Model) -> str:
    """The page of a row."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_address(admin: AnyAdmin) -> str:
    """The list of an admin."""
    return reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")


def page(
    request: HttpRequest,
    admin: AnyAdmin,
    template: str,
    *,
    title: str,
    row: Model | None = None,
    **context: Any,
) -> TemplateResponse:
    """A page of `templates/admin/platewarden`, with the frame of the admin."""
    request.current_app = admin.admin_site.name
    return TemplateResponse(
        request,
        f"{_PAGES}/{template}.html",
        {
            **admin.admin_site.each_context(request),
            "opts": admin.opts,
            "title": title,
            "subtitle": None,
            "original": row,
            "back": address(row) if row is not None else list_address(admin),
            "has_view_permission": True,
            **context,
        },
    )


def form_page(
    request: HttpRequest,
    admin: AnyAdmin,
    form: forms.Form,
    *,
    title: str,
    submit: str,
    row: Model | None = None,
    **context: Any,
) -> TemplateResponse:
    """A page with one form. `intro` says what it does, `danger` paints the button red."""
    return page(request, admin, "form", title=title, row=row, form=form, submit=submit, **context)


def refuse(form: forms.Form, error: ProductError) -> None:
    """Tell a service's refusal at the field it names."""
    field = error.field if error.field in form.fields else None
    form.add_error(field, error.sentence)


def confirm_page(
    request: HttpRequest,
    admin: AnyAdmin,
    row: Model,
    *,
    title: str,
    intro: str,
    submit: str,
    do: Callable[[], str],
    danger: bool = False,
) -> HttpResponse:
    """A question before something is done; `do` does it and says what it did, plate-free."""
    form = forms.Form(posted(request))
    if request.method == "POST":
        try:
            with transaction.atomic():
                said = do()
                admin.log_change(request, row, said)
        except ProductError as error:
            form.full_clean()
            form.add_error(None, error.sentence)
        else:
            messages.success(request, said)
            return HttpResponseRedirect(address(row))
    return form_page(
        request, admin, form, title=title, submit=submit, row=row, intro=intro, danger=danger
    )


# --- looking at what is sealed ------------------------------------------------------------------


class PurposeForm(forms.Form):
    """Why somebody looks. Without a default, on purpose."""

    purpose = forms.ChoiceField(
        label="Why",
        choices=lambda: [
            ("", "Choose a purpose…"),
            *(
                (one.code, f"{one.label}{' — needs a reference' if one.needs_case else ''}")
                for one in for_people()
            ),
        ],
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    case_ref = forms.CharField(
        label="Case or file reference",
        max_length=REF_LENGTH,
        required=False,
        help_text="Kept in the audit log in the clear: no plate in it.",
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


def reveal_page(
    request: HttpRequest,
    admin: AnyAdmin,
    sealed: SealedRow,
    *,
    field: str,
    what: str,
    row: Model,
    check_ref: Callable[[str], str],
    country: str = "",
) -> HttpResponse:
    """Ask why, write it down, show the sealed text once: in this answer, and nowhere else.

    `what` names it ("plate"); `check_ref` refuses a reference that says what the seal hides.
    """
    form, text, gone = PurposeForm(posted(request)), None, False
    if request.method == "POST" and form.is_valid():
        try:
            text = reveal_text(
                sealed,
                field,
                actor=actor_of(request),
                purpose=form.cleaned_data["purpose"],
                case_ref=check_ref(form.cleaned_data["case_ref"]),
            )
        except ProductError as error:
            refuse(form, error)
        except KeyDestroyed:
            gone = True
    return page(
        request,
        admin,
        "reveal",
        title=f"{what[:1].upper()}{what[1:]} of {row}",
        row=row,
        form=form,
        what=what,
        text=text,
        country=country,
        gone=gone,
        submit=f"Show the {what}",
    )


def as_uuid(text: str) -> uuid.UUID:
    """The id in an address; Http404 for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404 from None


_INPUT = {"class": " ".join(widgets.INPUT_CLASSES), "autocomplete": "off"}


class MomentInput(forms.DateTimeInput):
    """The browser's own picker of date and time."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs=_INPUT, format="%Y-%m-%dT%H:%M")


class DayInput(forms.DateInput):
    """The browser's own picker of a day."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(attrs=_INPUT, format="%Y-%m-%d")


class JSONText(forms.JSONField):
    """JSON to be written by a person: indented, and empty where there is none."""

    def __init__(self, **kwargs: Any) -> None:
        classes = f"{' '.join(widgets.TEXTAREA_CLASSES)} pw-code"
        area = forms.Textarea(attrs={"class": classes, "rows": 16, "spellcheck": "false"})
        super().__init__(widget=area, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        """The text to edit; what was typed and can't be read stays as it was typed."""
        if value is None:
            return ""
        if isinstance(value, InvalidJSONInput):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)


def moment_field(label: str, *, required: bool = False, help_text: str = "") -> forms.DateTimeField:
    """A field for an instant, in UTC like all of the admin."""
    return forms.DateTimeField(
        label=label,
        required=required,
        help_text=help_text or "UTC.",
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=MomentInput(),
    )


def text_field(
    label: str, *, most: int, required: bool = True, help_text: str = ""
) -> forms.CharField:
    """A field for a line of text that the browser doesn't remember."""
    return forms.CharField(
        label=label,
        max_length=most,
        required=required,
        help_text=help_text,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
