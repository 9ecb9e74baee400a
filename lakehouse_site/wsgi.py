"""The WSGI application, for `manage.py serve`, gunicorn or any other server.

Whatever server runs it, a request that did not arrive on loopback is refused while no token is configured
(`access/gate.py`); a server with our configuration (`manage.py serve`, `gunicorn_conf.py`) does not even start then.
"""

from __future__ import annotations

import gc
import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")

_django = get_wsgi_application()

from lakehouse_site.fast_lane import FastLane  # noqa: E402  it needs the applications to be loaded
from vectors.upkeep import upkeep  # noqa: E402

application = FastLane(_django)
upkeep.start()

# What is loaded now stays for ever: the collector need not walk it again and again during requests.
gc.collect()
gc.freeze()

# A search gives the interpreter lock away some ten times (database, matrix product, graph). Beside a thread that parses
# a batch it would wait up to this long each time; with Python's 5 ms, the p99 of such searches was up to twice as high.
sys.setswitchinterval(0.0002)
