import django.contrib.postgres.fields
from django.db import migrations

import vault.models


class Migration(migrations.Migration):
    dependencies = [("plates", "0002_many_reads")]

    operations = [
        migrations.AddField(
            model_name="passage",
            name="near_classes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=vault.models.TokenField(), null=True, size=None
            ),
        ),
    ]
