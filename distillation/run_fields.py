"""The fields of a line of scored runs, and what each may hold."""

from __future__ import annotations

import re
from typing import Final

from distillation.firewall import Category

SCHEMA_VERSION: Final = 1
MAX_ATTEMPT: Final = 1_000
MAX_ID_CHARACTERS: Final = 128
MAX_NAME_CHARACTERS: Final = 256
ID: Final = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._:@+=~-]{{0,{MAX_ID_CHARACTERS - 1}}}")
ROLES: Final = frozenset({"system", "user", "assistant"})
CATEGORIES: Final = frozenset(category.value for category in Category)
REQUIRED: Final = ("run_id", "task_id", "category", "scored_at", "source")
OPTIONAL: Final = ("schema_version", "attempt", "score", "scorer", "model", "context", "system", "tags")
KNOWN: Final = frozenset((*REQUIRED, *OPTIONAL, "prompt", "response", "messages"))
