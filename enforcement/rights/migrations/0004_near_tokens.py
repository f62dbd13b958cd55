"""Tokens of what is left of a plate without a character or two: rights a slip away are looked up.

Rights that came before have none; no release had any.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rights", "0003_provider_channels")]

    operations = [
        migrations.AddField(
            model_name="rightplate",
            name="tokens_near",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(), default=list, size=None
            ),
        ),
        migrations.AddIndex(
            model_name="rightplate",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["tokens_near"], name="right_plate_near"
            ),
        ),
    ]
