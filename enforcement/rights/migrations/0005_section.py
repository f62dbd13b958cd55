"""Section control: length and limits among a site's rules."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rights", "0004_near_tokens")]

    operations = [
        migrations.AddField(
            model_name="siterules",
            name="section",
            field=models.JSONField(
                blank=True,
                null=True,
                help_text="Length and limits, at a section (docs/rules.md).",
            ),
        ),
    ]
