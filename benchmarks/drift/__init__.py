"""Drift of columns, measured beside Evidently, Frouros, plain scipy and numpy's histogram."""
