from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("drift", "0001_monitors_and_reports")]

    operations = [
        migrations.AddField(
            model_name="driftreport",
            name="attempts",
            field=models.PositiveIntegerField(default=1, help_text="How often it was tried: an error is tried again."),
        ),
    ]
