"""Processes that a run starts: each is ended by its id, whatever happens, and its memory and work can be watched."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

START_SECONDS = 90.0
STOP_SECONDS = 20.0
IDLE_SHARE = 0.08
"""Of one core: a server that takes less has nothing left to do in the background."""
SETTLE_SECONDS = 120.0


class Child:
    """A process at the head of a group of its own, so that Ctrl-C is ours to pass on and its workers end with it."""

    def __init__(self, command: Sequence[str | Path], *, folder: Path, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until(self, is_up: Callable[[], bool]) -> None:
        """Return once `is_up` says so."""
        deadline = time.monotonic() + START_SECONDS
        while not is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"A server did not start:\n{self.log.read_text(errors='replace')[-2_000:]}")
            time.sleep(0.005)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """End it in good order if it lets itself, else by force; and whatever is left of its group."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(sign)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family(pid: int) -> list[int]:
    """Return a process and all below it; it alone where there is no ``/proc``."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def resident_bytes(pid: int) -> int | None:
    """Return the memory of the largest process among `pid` and those below it; None where that cannot be read."""
    sizes = []
    for one in family(pid):
        with suppress(OSError, StopIteration, ValueError):
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
            sizes.append(int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024)
    return max(sizes, default=None)


def cpu_seconds(pid: int) -> float | None:
    """Return the processor time of `pid` and those below it; None where that cannot be read."""
    ticks, known = 0, False
    for one in family(pid):
        with suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks, known = ticks + int(fields[11]) + int(fields[12]), True
    return ticks / os.sysconf("SC_CLK_TCK") if known else None


def settle(pid: int, *, step_seconds: float = 0.4) -> float:
    """Wait until a server has done what it does in the background; return for how long it has been idle by then."""
    started = time.monotonic()
    quiet = 0
    while quiet < 2 and time.monotonic() - started < SETTLE_SECONDS:
        before = cpu_seconds(pid)
        time.sleep(step_seconds)
        after = cpu_seconds(pid)
        if before is None or after is None:
            time.sleep(10 * step_seconds)
            return 0.0
        quiet = quiet + 1 if after - before < IDLE_SHARE * step_seconds else 0
    return quiet * step_seconds


def folder_bytes(folder: Path) -> int:
    """Return the size of all files below a folder."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
