from __future__ import annotations

from django.db import migrations


def compare_keys_as_bytes(apps, schema_editor):
    """Give Postgres the order of ids that SQLite and Python have, whatever the locale of the database."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute('ALTER TABLE vectors_vectoritem ALTER COLUMN key TYPE varchar(512) COLLATE "C"')


class Migration(migrations.Migration):
    dependencies = [("vectors", "0001_indexes")]
    operations = [migrations.RunPython(compare_keys_as_bytes, migrations.RunPython.noop)]
