"""Long work outside of the request: the admin queues a task, a worker (`manage.py worker`) carries it out.

The queue is the table of django-tasks-db; `TaskRecord` beside it says what people want to know. Its own worker is not
used: it polls with a transaction that locks SQLite for writing, and a task whose worker was killed runs for ever there.

enqueue      what the admin calls             progress     what a task says of itself while it runs
carrying_out claim, finish, recover: rows     worker       the process: signals, its pulse, one task after the other
child        the worker that `serve` starts   looking      what is shown
"""

from __future__ import annotations
