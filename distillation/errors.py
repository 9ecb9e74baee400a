"""Errors of this app; `lakehouse_site/errors.py` draws the tree they hang in, `problems.py` maps them to HTTP.

::

    LakehouseError
    ├── ExportRefused           a finished step of an export did not pass its own check: nothing was published
    │   ├── FirewallBreach      a run stands where the firewall forbids it
    │   └── NotConserved        runs were lost or counted twice
    ├── NotFound
    │   ├── EvalSetNotFound
    │   ├── ExportNotFound
    │   └── RecallNoticeNotFound
    └── Conflict
        ├── ExportBusy          another process is writing an export
        └── ScorerFrozen        a scorer's runs may not be exported until a person has looked
"""

from __future__ import annotations

from lakehouse_site.errors import Conflict, LakehouseError, NotFound


class ExportRefused(LakehouseError):
    """An export did not pass its own checks and was not published."""

    code = "export_refused"
    title = "The export did not pass its checks"


class FirewallBreach(ExportRefused):
    """A run was about to stand, or stands, where its category may not."""

    code = "firewall_breach"
    title = "The firewall held an export back"


class NotConserved(ExportRefused):
    """Runs were lost or counted twice on the way: the export is not to be trusted."""

    code = "not_conserved"
    title = "The counts do not add up"


class EvalSetNotFound(NotFound):
    """No active evaluation set has this name."""

    code = "eval_set_not_found"
    title = "No such evaluation set"


class ExportNotFound(NotFound):
    """There is no such export, or it is not complete."""

    code = "export_not_found"
    title = "No such export"


class RecallNoticeNotFound(NotFound):
    """There is no such recall notice."""

    code = "recall_notice_not_found"
    title = "No such recall notice"


class ExportBusy(Conflict):
    """Another process is writing an export."""

    code = "export_busy"
    title = "Another export is being written"


class ScorerFrozen(Conflict):
    """The export would hold runs of a scorer that was frozen."""

    code = "scorer_frozen"
    title = "A scorer is frozen"


class RunNotFound(NotFound):
    """No run has this id."""

    code = "run_not_found"
    title = "No such run"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"There is no scored run {run_id!r}.")
        self.run_id = run_id


class QuarantinedLineNotFound(NotFound):
    """No quarantined line has this number."""

    code = "quarantined_line_not_found"
    title = "No such quarantined line"

    def __init__(self, line_id: int) -> None:
        super().__init__(f"There is no quarantined line {line_id}. `manage.py quarantine list` shows those there are.")
        self.line_id = line_id


class NotReleasable(Conflict):
    """A quarantined line has been decided before, or cannot be taken as it is."""

    code = "not_releasable"
    title = "The line cannot be decided so"
