"""People: their log-ins, what they may do where, and help when they lost a password or a phone."""

from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from audit.adminsite import AnyInline, page_action
from audit.services import record
from cameras.adminsite import AuditedAdmin, actor_of, confirm_page, person_of, row_or_404
from cameras.keys import PURPOSE
from cameras.models import SiteRole
from core.models import User

if TYPE_CHECKING:
    _UserAdmin = DjangoUserAdmin[User]
else:
    _UserAdmin = DjangoUserAdmin

# allauth's own pages would change these unaudited, and show secrets of second factors
for _theirs in (EmailAddress, Authenticator, UserSession):
    admin.site.unregister(_theirs)
admin.site.unregister(Group)

_POWERS = ("is_staff", "is_superuser", "groups")


class RolesOfPerson(AnyInline):
    """What a person may do, site by site."""

    model = SiteRole
    extra = 0
    autocomplete_fields = ("site",)


@admin.register(User)
class PersonAdmin(AuditedAdmin, _UserAdmin):
    """Log-ins. People are switched off rather than deleted: cases and lists name who decided.

    Only a superuser gives or takes the powers of the admin, or touches another superuser.
    """

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = (
        "username",
        "first_name",
        "last_name",
        "email",
        "is_active",
        "is_staff",
        "second_factor",
        "last_login",
    )
    list_filter = ("is_active", "is_staff", "is_superuser", "site_roles__role", "site_roles__site")
    ordering = ("username",)
    readonly_fields = ("last_login", "date_joined")
    autocomplete_fields = ("groups",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "is_active")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Powers in this admin", {"fields": _POWERS, "classes": ("tab",)}),
        ("Dates", {"fields": ("last_login", "date_joined"), "classes": ("tab",)}),
    )
    add_fieldsets = (
        (
            None,
            {"fields": ("username", "email", "first_name", "last_name", "password1", "password2")},
        ),
    )
    inlines = [RolesOfPerson]
    actions_detail = ["reset_factors"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """People, with whether they have a second factor."""
        factors = Authenticator.objects.filter(user=OuterRef("pk"))
        return super().get_queryset(request).annotate(factors=Exists(factors))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The powers, for whoever isn't a superuser."""
        own = super().get_readonly_fields(request, obj)
        return own if person_of(request).is_superuser else (*own, *_POWERS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django's own, but a superuser is a superuser's business."""
        above = isinstance(obj, User) and obj.is_superuser
        allowed = super().has_change_permission(request, obj)
        return allowed and (not above or person_of(request).is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: switch the log-in off."""
        return False

    @admin.display(description="second factor", boolean=True)
    def second_factor(self, user: Any) -> bool:
        return bool(user.factors)

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        """Give somebody a new password, which ends their sessions; audited."""
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Django's history; a changed password, which passes no `save_model`, is audited here."""
        match = request.resolver_match
        if match is not None and match.url_name == "auth_user_password_change":
            record(
                actor_of(request),
                "change",
                purpose=PURPOSE,
                subject=User._meta.label_lower,
                subject_id=obj.pk,
                detail={"what": "changed", "fields": ["password"]},
            )
        return super().log_change(request, obj, message)

    @page_action(
        "Reset second factors",
        path="reset-factors",
        permission="core.change_user",
        icon="phonelink_erase",
        danger=True,
    )
    def reset_factors(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Somebody lost their phone or key."""
        user = row_or_404(self, request, object_id)
        if not self.has_change_permission(request, user):
            raise PermissionDenied

        def do() -> str:
            count = Authenticator.objects.filter(user=user).delete()[0]
            record(
                actor_of(request),
                "change",
                purpose=PURPOSE,
                subject=User._meta.label_lower,
                subject_id=user.pk,
                detail={"what": "changed", "fields": ["second factors"], "removed": count},
            )
            return "The second factors are removed."

        return confirm_page(
            request,
            self,
            user,
            title=f"Reset the second factors of {user}",
            intro="Authenticator apps, passkeys and recovery codes of this person stop working. "
            "The password alone opens the log-in until a new one is set up: make sure who asks.",
            submit="Remove them",
            do=do,
            danger=True,
        )


@admin.register(Group)
class GroupAdmin(AuditedAdmin, DjangoGroupAdmin):
    """Powers in this admin, given together."""
