"""An object storage that fails while clients write, search and take snapshots."""

from __future__ import annotations

import random
import re
import resource
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import numpy as np

from tests.chaos.answers import Changer, check_searches, info, listed, recover, search
from tests.chaos.book import Book, create, is_fine, item
from tests.chaos.result import Result
from tests.chaos.sites import WAIT_SECONDS, ChaosServer, Site, processes_of
from tests.chaos.world import World
from tests.fault_proxy import Fault, FaultProxy, run_fault_proxy

NAME = "storage faults"
RESTARTS = (Fault.INTERNAL_ERROR, Fault.RESET_IN_BODY, Fault.HANG)
"""Faults a server is started in: one that answers, one that breaks off, one that says nothing."""

HANG_SECONDS = 1.0
LARGE_DIMENSION, LARGE_ITEMS = 960, 1_200
LARGEST_FILE = 7_000_000
"""More than the database has, less than a snapshot with vectors and graph: the disk is full for the latter alone."""

FAILURES = re.compile(r'^lakehouse_vectors_storage_failures_total\{action="publish"\} ([0-9.e+]+)$', re.MULTILINE)


def run_storage_faults(world: World, rounds: int, seed: int, sample: int = len(Fault)) -> Result:
    """Go through all faults, or some of those of S3, `rounds` times over."""
    result = Result(NAME, world.database, world.storage)
    site, rng = world.site(), random.Random(seed)
    if site.objects.bucket is None:
        with site.server() as server:
            scene = Scene(site, server, result, rng)
            scene.begin()
            for _ in range(rounds):
                local_faults(scene)
        return result
    with (
        run_fault_proxy(site.objects.bucket.url) as proxy,
        site.server(**site.objects.bucket.through(proxy.url).environment) as server,
    ):
        scene = Scene(site, server, result, rng)
        scene.begin()
        for _ in range(rounds):
            s3_faults(scene, proxy, rng.sample(list(Fault), sample))
        scene.check("all faults")
    return result


class Scene:
    """Three indexes: one that changes, one that has a snapshot, one that has none."""

    def __init__(self, site: Site, server: ChaosServer, result: Result, rng: random.Random) -> None:
        self.site = site
        self.server = server
        self.result = result
        self.rng = rng
        self.book = Book(result)
        self.number = 0

    def begin(self) -> None:
        items = [item("still", i, 1) for i in range(100)]
        with self.server.client() as client:
            create(client, "changing", "still", "plain")
            for name in ("still", "plain"):
                is_fine(client.post(f"index/{name}/add", json={"items": items}), self.result)
            self.book.write(client, "changing", "first", 1)
        self.site.wrapped("index_snapshot", "changing", "still")

    @contextmanager
    def work(self) -> Iterator[None]:
        """Let clients write and search meanwhile, each at least once."""
        ended = threading.Event()

        def repeat(changer: Changer, rng: random.Random) -> None:
            with self.server.client() as client:
                changer.step(client, self.result, rng)
                while not ended.is_set():
                    changer.step(client, self.result, rng)

        self.number += 1
        with ThreadPoolExecutor(2) as pool:
            changers = [Changer(self.book, "changing", f"{self.number}-{i}-") for i in range(2)]
            running = [pool.submit(repeat, changer, random.Random(self.rng.random())) for changer in changers]
            try:
                yield
            finally:
                ended.set()
                for done in running:
                    done.result(WAIT_SECONDS)

    def snapshot_fails(self, client: httpx.Client, fault: str, index: str = "changing") -> None:
        """A snapshot now is refused with the code of the storage; it is counted and shown."""
        before = self._failures(client)
        answer = client.post(f"index/{index}/snapshot")
        kind = answer.headers.get("Content-Type", "")
        problem = answer.json() if "json" in kind else {}
        found = (answer.status_code, kind, problem.get("code"))
        self.result.expect(
            found == (500, "application/problem+json", "storage_failed"), f"{fault}: a snapshot was answered {found}"
        )
        error = (info(client, index).get("snapshot") or {}).get("error")
        self.result.expect(bool(error), f"{fault}: the info shows no error")
        after = self._failures(client)
        self.result.expect(after == before + 1, f"{fault}: {after - before} failures were counted")

    def snapshot_works(self, client: httpx.Client, fault: str, *indexes: str) -> None:
        """A snapshot now is published and the error is gone."""
        for index in indexes:
            is_fine(client.post(f"index/{index}/snapshot"), self.result)
            error = (info(client, index).get("snapshot") or {"error": "no snapshot"})["error"]
            self.result.expect(error is None, f"after {fault}: the info still shows {error!r}")

    def check(self, when: str) -> None:
        with self.server.client() as client:
            for index in ("changing", "still", "plain"):
                stored = listed(client, index)
                if index == "changing":
                    self.book.audit(stored, when)
                check_searches(client, index, stored, self.result, self.rng)

    def start_in(self, fault: str) -> None:
        """Start a server while the fault lasts: answers come from rows, and only who waits for the storage waits."""
        self.server.kill()
        self.server.start()
        started = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self._seconds_to_answer, "still")
            plain = self._seconds_to_answer("plain")
            still = waiting.result(WAIT_SECONDS)
        changing = self._seconds_to_answer("changing")
        self.result.recoveries.append(time.monotonic() - started)
        self.result.notes.append(f"start in {fault}: {still:.1f} s, beside it {plain:.2f} s, next {changing:.2f} s")
        self.result.expect(plain < 2 and changing < 2, f"{fault}: other indexes were kept waiting")
        self.check(f"start in {fault}")

    def _seconds_to_answer(self, index: str) -> float:
        started = time.monotonic()
        with self.server.client() as client:
            search(client, index, self.result, [item("still", 0, 1)["vector"]], exact=False)
        return time.monotonic() - started

    def _failures(self, client: httpx.Client) -> float:
        found = FAILURES.search(client.get(f"{self.server.base_url}/metrics").text)
        return float(found[1]) if found else 0.0


def s3_faults(scene: Scene, proxy: FaultProxy, faults: list[Fault]) -> None:
    for fault in faults:
        scene.result.rounds += 1
        proxy.inject(fault)
        if fault is Fault.HANG:
            _hang_a_while(scene, proxy)
        else:
            with scene.work(), scene.server.client() as client:
                scene.snapshot_fails(client, fault.name)
        if fault in RESTARTS:
            proxy.inject(fault)
            scene.start_in(fault.name)
        proxy.clear()
        with scene.server.client() as client:
            scene.snapshot_works(client, fault.name, "changing", *(["still"] if fault in RESTARTS else []))


def _hang_a_while(scene: Scene, proxy: FaultProxy) -> None:
    """A snapshot hangs until the fault is over; writes and searches go on meanwhile."""
    with ThreadPoolExecutor(1) as pool, scene.server.client() as client:
        before, faults = scene.result.acknowledged, proxy.faults[Fault.HANG]
        hanging = pool.submit(client.post, "index/still/snapshot")
        proxy.wait_for_fault(Fault.HANG, count=faults + 1)
        with scene.work():
            threading.Event().wait(HANG_SECONDS)  # how long it hangs, not something to wait for
        done, written = hanging.done(), scene.result.acknowledged - before
        proxy.clear()
        answer = hanging.result(WAIT_SECONDS)
    scene.result.expect(not done and written > 0, f"while the storage hung, {written} writes were answered")
    fine = answer.status_code == 200 or answer.json()["code"] == "storage_failed"
    scene.result.expect(fine, f"after the storage hung, a snapshot was answered {answer.text}")


def local_faults(scene: Scene) -> None:
    for name, fault in (("no folder", _folder_is_a_file), ("full disk", _full_disk)):
        scene.result.rounds += 1
        fault(scene, name)
        scene.check(f"after {name}")


def _folder_is_a_file(scene: Scene, name: str) -> None:
    """What even root can neither read nor write: a file where the folder of objects should be."""
    folder = scene.site.objects.folder
    aside = folder.with_name("objects-aside")
    folder.rename(aside)
    folder.touch()
    with scene.work(), scene.server.client() as client:
        scene.snapshot_fails(client, name)
    scene.start_in(name)
    folder.unlink()
    aside.rename(folder)
    with scene.server.client() as client:
        scene.snapshot_works(client, name, "changing", "still")


def _full_disk(scene: Scene, name: str) -> None:
    """Files beyond a size cannot be written: hnswlib says nothing of it, and SQLite has no such file."""
    large = f"large-{scene.number}"
    with scene.server.client() as client:
        create(client, large, dimension=LARGE_DIMENSION)
        rows = np.random.default_rng(scene.number).standard_normal((LARGE_ITEMS, LARGE_DIMENSION)).astype(np.float32)
        for start in range(0, LARGE_ITEMS, 200):
            items = [{"id": f"{i}", "vector": rows[i].tolist()} for i in range(start, start + 200)]
            is_fine(client.post(f"index/{large}/add", json={"items": items}), scene.result)
    scene.site.wrapped("index_snapshot", large)  # so that the server loads it with its whole graph
    scene.server.stop()
    recover(scene.server.start, lambda: _loads(scene, large), scene.result)
    _limit_files(scene.server, LARGEST_FILE)
    with scene.work(), scene.server.client() as client:
        scene.snapshot_fails(client, name, large)
    _limit_files(scene.server, resource.RLIM_INFINITY)
    left = list((scene.site.folder / "scratch").iterdir())
    scene.result.expect(not left, f"{name}: scratch files were left behind: {left}")
    with scene.server.client() as client:
        scene.snapshot_works(client, name, large)
        client.delete(f"index/{large}")


def _loads(scene: Scene, index: str) -> bool:
    with scene.server.client() as client:
        body = {"vector": [1.0] * LARGE_DIMENSION, "k": 1}
        return is_fine(client.post(f"index/{index}/search", json=body), scene.result)


def _limit_files(server: ChaosServer, size_bytes: int) -> None:
    for process in processes_of(server):
        resource.prlimit(process, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))
