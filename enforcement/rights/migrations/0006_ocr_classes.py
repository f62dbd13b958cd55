"""A site may take more characters for one another."""

from django.db import migrations, models

import enforcement.rights.models


class Migration(migrations.Migration):
    dependencies = [("rights", "0005_section")]

    operations = [
        migrations.AddField(
            model_name="siterules",
            name="ocr_classes",
            field=models.CharField(
                blank=True,
                default="",
                help_text="More characters that this site takes for one another, in groups: “VU "
                "MN”. 0OQD, 1IL, 2Z, 5S and 8B always are.",
                max_length=100,
                validators=[enforcement.rights.models.check_classes],
            ),
            preserve_default=False,
        ),
    ]
