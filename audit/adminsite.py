"""What all pages of the admin share: lists without surprises, nothing deleted in bulk.

A row's `str()` is plate-free by design, and it is all that Django's own history keeps besides the
names of the fields that changed; who did what and why stands in the audit log.
"""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.core.exceptions import PermissionDenied
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.decorators import action as unfold_action
from unfold.decorators import display as unfold_display
from unfold.enums import ActionVariant

# at run time the classes of the theme, which take no parameters; to the type checker Django's
if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, TabularInline

    AnyAdmin = ModelAdmin[Any]
    AnyInline = TabularInline[Any, Any]
    AnyForm = ModelForm[Any]
else:
    from unfold.admin import ModelAdmin as AnyAdmin
    from unfold.admin import TabularInline as AnyInline

    AnyForm = ModelForm

F = TypeVar("F", bound=Callable[..., Any])


class PlainAdmin(AnyAdmin):
    """A list of fifty rows a page, without Django's bulk deletion."""

    list_per_page = 50
    show_full_result_count = False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The bulk actions, without deletion: what judged somebody isn't swept away by a tick."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_actions_list(self, request: HttpRequest) -> list[Any]:
        """The buttons above the list, for this person."""
        return _allowed(request, super().get_actions_list(request))  # type: ignore[misc]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """The buttons above a row, for this person."""
        buttons = _allowed(request, super().get_actions_detail(request, object_id))  # type: ignore[misc]
        row = self.get_object(request, str(object_id))
        return [
            button
            for button in buttons
            if not button.method.unless or getattr(row, button.method.unless, None) is None
        ]


def _allowed(request: HttpRequest, buttons: list[Any]) -> list[Any]:
    return [button for button in buttons if request.user.has_perm(button.method.needs)]


class ReadOnly:
    """Mixed into an admin or inline whose rows are only looked at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


class RowsBelow(ReadOnly, AnyInline):
    """Rows shown below the one they belong to, each a link to its own page."""

    extra = 0
    show_change_link = True
    tab = True


def page_action(
    description: str,
    *,
    path: str,
    permission: str,
    icon: str = "",
    danger: bool = False,
    unless: str = "",
) -> Callable[[F], F]:
    """A button above a list or a row that leads to a page of its own (`actions_list`,
    `actions_detail`), for whoever has `permission`: Django's, with its app. `unless` names a field
    of the row; once it is filled the button is gone.

    The theme's own `permissions` are no use: its system check looks such a name up in the database,
    which is not there yet when `migrate` makes it.
    """
    variant = ActionVariant.DANGER if danger else ActionVariant.DEFAULT

    def decorate(method: F) -> F:
        @wraps(method)
        def gated(admin: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            return method(admin, request, *args, **kwargs)

        button = unfold_action(
            description=description, url_path=path, icon=icon or None, variant=variant
        )(gated)
        button.needs, button.unless = permission, unless
        return cast(F, button)

    return decorate


def badge(description: str, colours: dict[str, str], *, ordering: str = "") -> Callable[[F], F]:
    """A column whose words are coloured: success, info, warning, danger; grey where unnamed."""
    decorate = unfold_display(description=description, label=colours, ordering=ordering or None)
    return cast(Callable[[F], F], decorate)
