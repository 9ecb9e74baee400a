"""`manage.py stress`: several writers at once, phase by phase, and then every item compared with what was written."""
