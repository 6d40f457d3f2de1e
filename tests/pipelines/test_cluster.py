"""`muonkit calibrate --scheduler` on a cluster of processes: the bytes of one process, also when a worker is killed."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.pipelines.conftest import simulate
from tests.run.killing import CALIBRATE

from muonkit.pipelines.calibrate import calibrate
from muonkit.run.runner import Runner, runner

distributed = pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the cluster's own shutdown


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cluster")
    for seed, name in enumerate(("data", "simulation"), 1):
        simulate(path, f"{name}.parquet", seed=seed, events=40_000)
    (path / "calibrate.toml").write_text(CALIBRATE)
    return path


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True) as many:
        yield many


def pids(cluster: Any) -> list[int]:
    """Of the workers."""
    return [nanny.pid for nanny in cluster.workers.values()]


def content(folder: Path, name: str, work: Runner) -> tuple[dict[str, Any], bytes]:
    """What a run writes, without the time of its making."""
    calibrate(folder / "calibrate.toml", folder / name, work)
    found = json.loads((folder / name / "calibration.json").read_text())
    del found["provenance"]["created"]
    return found, (folder / name / "corrections.json.gz").read_bytes()


@pytest.fixture(scope="module")
def expected(folder: Path) -> tuple[dict[str, Any], bytes]:
    with runner(1) as one:
        return content(folder, "one", one)


def test_a_cluster_writes_the_bytes_of_one_process(folder: Path, cluster: Any, expected: object) -> None:
    with runner(scheduler=cluster.scheduler_address) as many:
        assert content(folder, "many", many) == expected


def test_a_worker_that_is_killed_costs_nothing_but_time(folder: Path, cluster: Any, expected: object) -> None:
    before = pids(cluster)
    with runner(scheduler=cluster.scheduler_address) as many:
        submit, sent = many.submit, []

        def disturbed(function: Any, item: Any) -> Any:
            sent.append(item)
            if len(sent) == 6:  # in the middle of a count
                os.kill(pids(cluster)[0], signal.SIGKILL)  # the nanny starts another worker
            assert submit is not None
            return submit(function, item)

        assert content(folder, "disturbed", Runner(disturbed, many.workers, many.progress)) == expected
    assert len(sent) > 6
    assert set(pids(cluster)) != set(before)
