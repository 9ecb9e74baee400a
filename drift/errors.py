"""Errors of this app; `lakehouse_site/errors.py` draws the tree they hang in, `problems.py` maps them to HTTP.

::

    LakehouseError
    ├── NotFound
    │   ├── MonitorNotFound
    │   └── AlertNotFound
    └── Conflict
        ├── MonitorExists
        └── WindowNotOver       a monitor has no window yet that could be looked at
"""

from __future__ import annotations

from datetime import datetime

from lakehouse_site.errors import Conflict, NotFound


class MonitorNotFound(NotFound):
    """No monitor has this name or id."""

    code = "monitor_not_found"
    title = "No such monitor"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no monitor {name!r}. GET /v1/drift/monitors lists them.")
        self.name = name


class AlertNotFound(NotFound):
    """No alert has this id."""

    code = "alert_not_found"
    title = "No such alert"

    def __init__(self, alert_id: str) -> None:
        super().__init__(f"There is no alert {alert_id!r}. GET /v1/drift/alerts lists them.")
        self.alert_id = alert_id


class MonitorExists(Conflict):
    """The name is taken."""

    code = "monitor_exists"
    title = "The monitor exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"A monitor named {name!r} exists. Choose another name, or change that monitor.")
        self.name = name


class WindowNotOver(Conflict):
    """A monitor's first window is not over."""

    code = "window_not_over"
    title = "The first window is not over"

    def __init__(self, name: str, first_end: datetime) -> None:
        super().__init__(f"The first window of {name!r} ends at {first_end.isoformat()}. Check it then.")
        self.first_end = first_end
