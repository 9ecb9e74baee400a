from __future__ import annotations

from datetime import UTC, datetime, timedelta

from drift.charts import heat_map, verdict_timeline
from drift.psi import MAJOR, MINOR

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_bands_of_the_tiers_fill_the_picture_without_a_gap() -> None:
    line = verdict_timeline([])

    assert [band.verdict for band in line.bands] == ["major", "minor", "stable"]
    for above, below in zip(line.bands, line.bands[1:], strict=False):
        assert above.y + above.height == below.y
    assert line.bands[-1].y + line.bands[-1].height == line.bottom
    assert line.path == ""


def test_a_mark_lies_in_the_band_of_its_verdict() -> None:
    psis = {"stable": MINOR / 2, "minor": (MINOR + MAJOR) / 2, "major": 9.0}

    for psi_known in (True, False):
        reports = [(BEGIN, verdict, psi if psi_known else None, "") for verdict, psi in psis.items()]
        line = verdict_timeline(reports)
        for mark in line.marks:
            (band,) = (band for band in line.bands if band.verdict == mark.verdict)
            assert band.y <= mark.y <= band.y + band.height


def test_the_line_passes_over_windows_without_a_psi() -> None:
    reports = [(BEGIN + timedelta(days=day), "stable" if day != 1 else "no_data", None, "") for day in range(3)]
    some = [(when, verdict, 0.05 if verdict == "stable" else None, "") for when, verdict, _, _ in reports]

    line = verdict_timeline(some)

    assert line.path.count("L") == 1
    assert line.marks[1].y == line.bottom
    assert [date.text for date in line.dates] == ["2026-03-01", "2026-03-02", "2026-03-03"]


def test_a_heat_map_shades_by_the_share_of_the_row_and_has_every_pair() -> None:
    picture = heat_map(
        [("accepted", "accepted", 90, "/a"), ("accepted", "rejected", 10, "/b"), ("rejected", "accepted", 1, "")]
    )

    assert picture is not None
    cells = {(cell.before, cell.after): cell for cell in picture.cells}
    assert len(cells) == 4
    assert cells["accepted", "accepted"].strength == 4
    assert cells["accepted", "rejected"].strength == 1
    assert cells["rejected", "rejected"].strength == 0
    assert cells["rejected", "rejected"].count == 0
    assert cells["accepted", "rejected"].link == "/b"


def test_without_transitions_there_is_no_heat_map() -> None:
    assert heat_map([]) is None
