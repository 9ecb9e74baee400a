"""The Django project: settings, access, errors, health, and the server."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
