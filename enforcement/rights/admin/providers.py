"""Providers of rights and their keys."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from audit.adminsite import AnyForm, page_action
from audit.services import Actor
from cameras.admin.keys import KEY_FILTERS, KeyAdmin, KeysBelow
from cameras.adminsite import AuditedAdmin, actor_of, confirm_page, row_or_404
from enforcement.rights.keys import provider_key_create, provider_key_revoke
from enforcement.rights.models import Provider, ProviderKey


class ProviderForm(AnyForm):
    """A provider, for sites of its own organisation."""

    class Meta:
        model = Provider
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        """Refuse another organisation's sites: they never asked for these rights."""
        said = super().clean() or {}
        organisation, sites = said.get("organisation"), said.get("sites") or ()
        if organisation and any(site.organisation_id != organisation.pk for site in sites):
            self.add_error("sites", "A provider's sites are its organisation's.")
        return said


@admin.register(ProviderKey)
class ProviderKeyAdmin(KeyAdmin):
    """The keys of providers. A provider rotates by having two for a while."""

    owner = "provider"
    list_display = ("shown_prefix", "provider", "label", "state", "created_at", "last_used_at")
    list_select_related = ("provider",)
    list_filter = ("provider", *KEY_FILTERS)
    search_fields = ("prefix", "label", "provider__name")
    fields = (
        "provider",
        "label",
        "shown_prefix",
        "state",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    actions_detail = ("revoke",)

    def create(
        self, owner: Any, actor: Actor, now: datetime, label: str, expires_at: datetime | None
    ) -> tuple[ProviderKey, str]:
        """See `provider_key_create`."""
        return provider_key_create(
            provider=owner, actor=actor, now=now, label=label, expires_at=expires_at
        )

    def owners(self) -> Any:
        """Every provider."""
        return Provider.objects.all()

    @page_action(
        "Revoke",
        path="revoke",
        permission="rights.change_providerkey",
        icon="block",
        danger=True,
        unless="revoked_at",
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """From now on it is refused."""
        key = row_or_404(self, request, object_id)

        def do() -> str:
            provider_key_revoke(key_id=key.pk, actor=actor_of(request), now=timezone.now())
            return "The key is revoked."

        return confirm_page(
            request,
            self,
            key,
            title=f"Revoke {key}",
            intro="Deliveries with this key are refused from now on. This can't be undone.",
            submit="Revoke the key",
            do=do,
            danger=True,
        )


class ProviderKeysBelow(KeysBelow):
    """The keys of a provider, on its page."""

    model = ProviderKey


@admin.register(Provider)
class ProviderAdmin(AuditedAdmin):
    """Who delivers rights, and where they count."""

    form = ProviderForm
    list_display = ("name", "organisation", "active", "live_keys")
    list_select_related = ("organisation",)
    list_filter = ("active", "organisation")
    search_fields = ("name",)
    autocomplete_fields = ("sites",)
    inlines = [ProviderKeysBelow]
    actions_detail = ["add_key"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Providers with the number of their keys that open."""
        live = Q(keys__revoked_at__isnull=True) & (
            Q(keys__expires_at__isnull=True) | Q(keys__expires_at__gt=timezone.now())
        )
        return super().get_queryset(request).annotate(live=Count("keys", filter=live))

    @admin.display(description="live keys", ordering="live")
    def live_keys(self, provider: Any) -> int:
        return int(provider.live)

    @page_action("New key", path="new-key", permission="rights.add_providerkey", icon="key")
    def add_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form of a key of this provider."""
        return HttpResponseRedirect(
            f"{reverse('admin:rights_providerkey_add')}?provider={object_id}"
        )
