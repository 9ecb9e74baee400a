"""The pages of an index in the admin: each reads a form, calls one service, and shows what came of it."""

from __future__ import annotations
