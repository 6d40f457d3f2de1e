"""A Dask cluster gives the results of one process."""

import pytest
from tests.run.test_runner import square, values

from muonkit.run.runner import runner

distributed = pytest.importorskip("distributed", reason="the extra 'dask' is not installed")


@pytest.mark.filterwarnings("ignore")  # of the cluster's own shutdown
def test_a_cluster_gives_the_results_of_one_process() -> None:
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, processes=False) as cluster,
        runner(1) as one,
        runner(scheduler=cluster.scheduler_address) as many,
    ):
        assert values(one.map("a")(square, range(8))) == values(many.map("b")(square, range(8)))
