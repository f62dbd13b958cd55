import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cameras", "0001_initial"),
        ("rights", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="sells",
            field=models.BooleanField(
                default=False,
                help_text="Sells vignettes itself: a first day further ahead than the scheme sells "
                "is refused. Off for a state's own registry, which is believed.",
            ),
        ),
        migrations.AlterField(
            model_name="right",
            name="kind",
            field=models.CharField(
                choices=[
                    ("vignette", "vignette"),
                    ("payment", "parking payment"),
                    ("permit", "permit"),
                    ("exemption", "exemption"),
                    ("reservation", "reservation"),
                    ("validation", "validation by a merchant"),
                    ("zone-payment", "zone payment"),
                ],
                max_length=12,
            ),
        ),
        migrations.CreateModel(
            name="Tariff",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("effective_from", models.DateTimeField()),
                (
                    "currency",
                    models.CharField(
                        help_text="Three letters, as ISO 4217 has them.", max_length=3
                    ),
                ),
                ("rules", models.JSONField(blank=True, null=True)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tariffs",
                        to="cameras.site",
                    ),
                ),
                (
                    "zone",
                    models.ForeignKey(
                        blank=True,
                        help_text="Where vehicles came in by a camera of this zone; empty: "
                        "everywhere else.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tariffs",
                        to="cameras.zone",
                    ),
                ),
            ],
            options={
                "ordering": ["site", "zone", "-effective_from"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("site", "zone", "effective_from"),
                        name="one_tariff_per_instant",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
    ]
