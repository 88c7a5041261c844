"""Memory granted and memory taken."""

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operando.model.reading import ReadOptions
from operando.model.step import Cut
from operando.pipeline import executor, memory, settings
from operando.pipeline.events import Options
from operando.pipeline.index import Index
from operando.pipeline.raw import RawFiles, RawFrame
from operando.pipeline.run import Coordinator

CUT = Cut(working_bytes=24, fixed_bytes=250)
FULL_SIZE = 2016.0**2


@given(
    st.integers(10**8, 10**11),
    st.floats(1e4, 1e7),
    st.floats(1, 100),
    st.floats(0, 500),
    st.integers(0, 40),
)
def test_the_rows_of_a_slab_fit_and_one_more_does_not(
    granted: int, elements: float, working: float, fixed: float, halo: int
) -> None:
    cut = Cut(halo, working, fixed)
    rows = memory.rows_for(cut, elements, granted)
    if rows + 2 * halo > 0:
        assert memory.bytes_for(cut, elements, rows) <= granted * (1 + 1e-9)
        assert memory.bytes_for(cut, elements, rows + 1) >= granted * (1 - 1e-9)


def test_rows_around_a_slab_cost_nothing_where_nobody_asked_for_them() -> None:
    cut = Cut(halo=9, halo_with="blur_um")
    assert cut.given({"blur_um": 1.5}) is cut
    for arguments in ({"blur_um": None}, {}):
        assert memory.rows_for(cut.given(arguments), 1e6, 1e9) == memory.rows_for(cut, 1e6, 1e9) + 18


def test_too_little_memory_for_two_workers_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operando.pipeline.memory.default_workers", lambda: 2)
    least = memory.bytes_for(CUT, FULL_SIZE, memory.LEAST_ROWS)
    assert [memory.workers_for(int(gigabytes * 1e9), least) for gigabytes in (0.5, 2.3, 4.6, 64)] == [1, 1, 2, 2]


def test_who_asks_for_more_workers_than_memory_feeds_is_told() -> None:
    least = memory.bytes_for(CUT, FULL_SIZE, memory.LEAST_ROWS)
    (sentence,) = memory.too_little(2_000_000_000, 2, least)
    assert sentence == (
        "2 workers take 4.2 GB for the lowest slabs of the largest scan, more than the 2 GB granted; "
        "give fewer --workers or more --memory"
    )
    assert memory.too_little(8_000_000_000, 2, least) == []


MOST_BYTES_A_SCAN = 16_000


def test_a_scan_more_costs_the_coordinator_little_memory(tiny_raw: Path, tmp_path: Path) -> None:
    """With a dozen steps a scan, and a dozen lines of the index."""

    def taken(count: int) -> int:
        folder = tmp_path / str(count)
        folder.mkdir()
        files = [f"raw/tomo/scan_{number:04d}.nxs" for number in range(count)]
        made = {"content": "1" * 32, "path": "frames/made/0123456789abcdef.npz"}
        recipe = {"arguments": {"params": {"threshold": 0.4}}, "inputs": {"scan": "2" * 32}, "version": 1}
        entries = ({"step": f"step {n}", "frame": f, "digest": "3" * 32, "recipe": recipe, "products": {"made": made}}
                   for f in files for n in range(12))  # fmt: skip
        (folder / "index.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
        frames = [RawFrame("scan", f, tiny_raw / f, n, 0, f"{n:032x}", ReadOptions()) for n, f in enumerate(files)]
        tracemalloc.start()
        run = Coordinator(project, RawFiles(tuple(frames), ()), Index(folder), Options(dry_run=True), lambda _: None)
        run.settle(lambda _: pytest.fail("a dry run needs no workers"))
        assert sum(1 for _ in run.nodes) > 10 * count
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size

    project = settings.open_project(tiny_raw)
    taken(1)
    few, many = taken(10), taken(110)
    assert (many - few) / 100 < MOST_BYTES_A_SCAN


def test_a_worker_keeps_no_record_of_what_it_did() -> None:
    """Dask's profiler holds on to stacks: half a megabyte a second, for as long as the run takes."""
    with executor.open_executor(1, None, 60.0) as workers:
        (kept,) = workers.client.run(lambda dask_worker: sorted(dask_worker.periodic_callbacks)).values()  # type: ignore[attr-defined]
    assert "heartbeat" in kept
    assert not [name for name in kept if "profile" in name]
