"""Providers of rights: their keys, the secrets of their webhooks, and where they are asked."""

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from unfold import widgets

from audit.adminsite import AnyForm, AnyInline, RowsBelow, page_action
from audit.services import Actor
from cameras.admin.keys import KEY_FILTERS, KeyAdmin, KeysBelow
from cameras.adminsite import (
    AuditedAdmin,
    actor_of,
    address,
    confirm_page,
    form_page,
    page,
    posted,
    refuse,
    row_or_404,
)
from core.errors import BadInput, ProductError
from enforcement.rights.asking import Reach, place_of
from enforcement.rights.channels import Lookup, LookupService, WebhookSecret
from enforcement.rights.keys import provider_key_create, provider_key_revoke
from enforcement.rights.models import Provider, ProviderKey
from enforcement.rights.webhooks import webhook_secret_create, webhook_secret_revoke


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


class LookupForm(AnyForm):
    """Where a provider is asked, if that address may be asked at all."""

    url = forms.URLField(
        label="URL",
        max_length=300,
        assume_scheme="https",
        help_text="Asked by POST; its host must be allowed (docs/rights-in.md).",
        widget=widgets.UnfoldAdminURLInputWidget(),
    )

    class Meta:
        model = LookupService
        fields = ("url", "timeout_seconds", "active")

    def clean_url(self) -> str:
        """Refuse what the look-up itself would refuse."""
        url = str(self.cleaned_data["url"])
        try:
            place_of(url, Reach(settings.LOOKUP_HOSTS, settings.LOOKUP_NETWORKS))
        except BadInput as error:
            raise forms.ValidationError(error.sentence) from None
        return url


class LookupBelow(AnyInline):
    """Where a provider is asked before a case is opened, and how it fares."""

    model = LookupService
    form = LookupForm
    extra = 0
    verbose_name = verbose_name_plural = "look-up before a case is opened"
    fields = ("url", "timeout_seconds", "active", "state", "waiting", "last_answer_at")
    readonly_fields = ("state", "waiting", "last_answer_at")
    tab = True

    @admin.display(description="state")
    def state(self, service: LookupService) -> str:
        if service.open_until is not None and service.open_until > timezone.now():
            return f"left alone until {service.open_until:%H:%M:%S} UTC: {service.last_error}"
        return service.last_error or ("answers" if service.last_answer_at else "not asked yet")

    @admin.display(description="cases that wait")
    def waiting(self, service: LookupService) -> int:
        return Lookup.objects.filter(
            provider=service.pk, state=Lookup.State.WAITING, hold_until__gt=timezone.now()
        ).count()


class WebhookSecretsBelow(RowsBelow):
    """The secrets of a provider's webhooks, on its page."""

    model = WebhookSecret
    verbose_name_plural = "webhook secrets"
    show_change_link = False
    fields = ("ends", "state", "created_at", "last_used_at")
    readonly_fields = fields

    @admin.display(description="secret")
    def ends(self, secret: WebhookSecret) -> str:
        return f"…{secret.pk.hex[-8:]}"

    @admin.display(description="state")
    def state(self, secret: WebhookSecret) -> str:
        return "live" if secret.revoked_at is None else "revoked"


class SecretForm(forms.Form):
    """Which of a provider's secrets."""

    def __init__(self, *args: Any, provider: Provider, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["secret"] = forms.ModelChoiceField(
            label="Secret",
            queryset=provider.webhook_secrets.filter(revoked_at__isnull=True),
            widget=widgets.UnfoldAdminSelectWidget(),
        )


@admin.register(Provider)
class ProviderAdmin(AuditedAdmin):
    """Who delivers rights, and where they count."""

    form = ProviderForm
    list_display = ("name", "organisation", "active", "live_keys")
    list_select_related = ("organisation",)
    list_filter = ("active", "organisation")
    search_fields = ("name",)
    autocomplete_fields = ("sites",)
    fields = ("name", "slug", "organisation", "sites", "sells", "active")
    inlines = [ProviderKeysBelow, LookupBelow, WebhookSecretsBelow]
    actions_detail = ["add_key", "add_secret", "revoke_secret"]

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        """What belongs to a provider comes once there is one."""
        return self.inlines if obj is not None else [ProviderKeysBelow]

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

    @page_action(
        "New webhook secret",
        path="new-secret",
        permission="rights.add_webhooksecret",
        icon="webhook",
    )
    def add_secret(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make a secret, and show it in this very answer."""
        provider = row_or_404(self, request, object_id)
        form = forms.Form(posted(request))
        if request.method == "POST":
            try:
                _, text = webhook_secret_create(
                    provider=provider, actor=actor_of(request), now=timezone.now()
                )
            except ProductError as error:
                form.full_clean()
                refuse(form, error)
            else:
                self.log_change(request, provider, "Made a webhook secret.")
                response = page(
                    request,
                    self,
                    "secret",
                    title="The new secret",
                    row=provider,
                    secret=text,
                    events=reverse("api_provider_events", args=[provider.slug]),
                )
                response["Cache-Control"] = "no-store"
                return response
        return form_page(
            request,
            self,
            form,
            title=f"New webhook secret of {provider}",
            submit="Make the secret",
            row=provider,
            intro="The secret is shown once, on the next page. Older ones stay valid until they "
            "are revoked, so that the provider can change without a gap.",
        )

    @page_action(
        "Revoke webhook secret",
        path="revoke-secret",
        permission="rights.change_webhooksecret",
        icon="block",
        danger=True,
    )
    def revoke_secret(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """From now on what it signs is refused."""
        provider = row_or_404(self, request, object_id)
        form = SecretForm(posted(request), provider=provider)
        if request.method == "POST" and form.is_valid():
            secret = form.cleaned_data["secret"]
            webhook_secret_revoke(secret_id=secret.pk, actor=actor_of(request), now=timezone.now())
            self.log_change(request, provider, "Revoked a webhook secret.")
            messages.success(request, "The secret is revoked.")
            return HttpResponseRedirect(address(provider))
        return form_page(
            request,
            self,
            form,
            title=f"Revoke a webhook secret of {provider}",
            submit="Revoke the secret",
            row=provider,
            intro="Events signed with it are refused from now on. This can't be undone.",
            danger=True,
        )
