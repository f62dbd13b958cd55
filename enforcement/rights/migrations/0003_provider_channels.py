"""Webhooks of providers, and asking them for a payment right before a case is opened."""

import uuid

import django.core.validators
import django.db.models.deletion
from django.apps.registry import Apps
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils.text import slugify

import vault.models


def name_providers(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Names for the addresses of providers that are here already, as `Provider.save` makes them."""
    for provider in apps.get_model("rights", "Provider").objects.filter(slug=None):
        provider.slug = f"{slugify(provider.name)[:41] or 'provider'}-{provider.pk.hex[-8:]}"
        provider.save(update_fields=["slug"])


def _foreign(to: str, related_name: str) -> models.ForeignKey:  # type: ignore[type-arg]
    return models.ForeignKey(
        on_delete=django.db.models.deletion.CASCADE, related_name=related_name, to=to
    )


_SLUG_HELP = "Its name in addresses; made of its name where empty."
_WAIT_HELP = (
    "How long a case waits for a provider that is asked for a payment and does not answer; then a "
    "person has to look."
)


class Migration(migrations.Migration):
    dependencies = [("cameras", "0005_capture_picture_due"), ("rights", "0002_tariffs")]

    operations = [
        migrations.AddField("provider", "slug", models.CharField(max_length=50, null=True)),
        migrations.RunPython(name_providers, migrations.RunPython.noop),
        migrations.AlterField(
            "provider", "slug", models.SlugField(blank=True, help_text=_SLUG_HELP, unique=True)
        ),
        migrations.AddField(
            "siterules",
            "lookup_wait_minutes",
            models.PositiveIntegerField(
                default=60,
                help_text=_WAIT_HELP,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(10_080),
                ],
            ),
        ),
        migrations.CreateModel(
            name="LookupService",
            fields=[
                (
                    "provider",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="lookup",
                        serialize=False,
                        to="rights.provider",
                    ),
                ),
                (
                    "url",
                    models.URLField(
                        help_text="Asked by POST; its host must be allowed (docs/rights-in.md).",
                        max_length=300,
                    ),
                ),
                ("active", models.BooleanField(default=True)),
                (
                    "timeout_seconds",
                    models.PositiveSmallIntegerField(
                        default=5,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10),
                        ],
                    ),
                ),
                ("failures", models.PositiveIntegerField(default=0, editable=False)),
                ("open_until", models.DateTimeField(editable=False, null=True)),
                ("last_answer_at", models.DateTimeField(editable=False, null=True)),
                ("last_error", models.CharField(blank=True, editable=False, max_length=40)),
            ],
        ),
        migrations.CreateModel(
            name="Lookup",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("provider", _foreign("rights.provider", "lookups")),
                ("site", _foreign("cameras.site", "+")),
                ("subject_key", models.CharField(max_length=80)),
                ("verdict_ids", ArrayField(models.UUIDField())),
                ("passage_ids", ArrayField(models.UUIDField())),
                ("seen_from", models.DateTimeField()),
                ("seen_to", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting for the provider"),
                            ("answered", "answered"),
                            ("given-up", "given up"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("hold_until", models.DateTimeField()),
                ("next_try_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
                ("found", models.PositiveSmallIntegerField(default=0)),
                ("last_error", models.CharField(blank=True, max_length=40)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease_token", models.UUIDField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "subject_key"), name="one_lookup_each"
                    )
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(state="waiting"),
                        fields=["next_try_at"],
                        name="lookup_due",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookSecret",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("provider", _foreign("rights.provider", "webhook_secrets")),
                ("index_key", models.PositiveSmallIntegerField(editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                ("last_used_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={"ordering": ["-created_at"]},
        ),
        migrations.CreateModel(
            name="WebhookEvent",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("provider", _foreign("rights.provider", "+")),
                ("event_token", vault.models.TokenField()),
                ("content_token", vault.models.TokenField()),
                ("signed_at", models.DateTimeField()),
                ("received_at", models.DateTimeField(db_index=True)),
                ("answer", models.JSONField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "event_token"), name="webhook_event_once"
                    )
                ]
            },
        ),
    ]
