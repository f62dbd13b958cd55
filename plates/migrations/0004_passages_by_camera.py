import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cameras", "0003_site_regions_strict"),
        ("plates", "0003_near_classes"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="passage",
            index=models.Index(fields=["camera", "last_at"], name="passage_by_camera"),
        ),
        migrations.AlterField(
            model_name="passage",
            name="camera",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="cameras.camera",
            ),
        ),
    ]
