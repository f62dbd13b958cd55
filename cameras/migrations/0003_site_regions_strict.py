from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cameras", "0002_day_counts"),
    ]

    operations = [
        migrations.AddField(
            model_name="site",
            name="regions_strict",
            field=models.BooleanField(
                default=False,
                help_text="Consider the plate formats of these countries alone. A foreign plate is then read as free text, or as the nearest format of these: leave it off on a public road.",
            ),
        ),
    ]
