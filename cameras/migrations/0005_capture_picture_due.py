from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cameras", "0004_devices"),
    ]

    operations = [
        migrations.AddField(
            model_name="capture",
            name="picture_due",
            field=models.BooleanField(default=False),
        ),
        migrations.AddIndex(
            model_name="capture",
            index=models.Index(
                condition=models.Q(("picture_due", True)),
                fields=["id"],
                name="capture_picture_due",
            ),
        ),
    ]
