"""The likelihood that users receive is the one that was maximised."""

from pathlib import Path

import numpy as np
import pytest
from tests.calibration import samples

from muonkit.calibration.binning import MuonBins
from muonkit.calibration.extract import Extraction, Rules, extract
from muonkit.calibration.likelihood import Likelihood
from muonkit.core.errors import InputError

EDGES = (-2.4, 0.0, 2.4)


@pytest.fixture(scope="module")
def extraction() -> Extraction:
    """100 000 pairs in two eta bins, with the resolution and a prior."""
    derived = samples.fit(samples.count(samples.sample(100_000, 31), samples.sample(100_000, 32), EDGES))
    return extract(
        derived.cells, derived.fits, MuonBins.of_edges(EDGES), ("A", "e", "M", "a", "c"), Rules({"e": (0.0, 1e-2)})
    )


def test_a_written_likelihood_has_the_minimum_and_the_covariance_of_the_fit(
    extraction: Extraction, tmp_path: Path
) -> None:
    Likelihood.of([extraction]).write(tmp_path / "likelihood.npz")
    found = Likelihood.read(tmp_path / "likelihood.npz")
    assert found.names.tolist() == extraction.layout.names
    assert found.minimum == pytest.approx(extraction.chi2 / 2, rel=1e-12)
    assert found(extraction.vector) == pytest.approx(extraction.chi2 / 2, rel=1e-12)
    inverse = np.linalg.inv(found.hessian * np.outer(extraction.errors, extraction.errors))
    np.testing.assert_allclose(
        inverse, extraction.covariance / np.outer(extraction.errors, extraction.errors), atol=1e-8
    )
    # the minimum is where the gradient moves the parameters by nothing
    assert np.max(np.abs(extraction.covariance @ found.gradient) / extraction.errors) < 1e-3


def test_it_is_the_parabola_of_its_gradient_and_hessian(extraction: Extraction) -> None:
    found = Likelihood.of([extraction])
    shift = extraction.errors * np.random.default_rng(3).normal(size=len(extraction.vector))
    parabola = found.minimum + found.gradient @ shift + shift @ found.hessian @ shift / 2
    assert found(extraction.vector + shift) == pytest.approx(parabola, rel=1e-10)


def test_every_residual_has_its_place(extraction: Extraction) -> None:
    found = Likelihood.of([extraction])
    cells = int(extraction.used.sum())
    assert [np.sum(found.kinds == kind) for kind in ("ln_mu", "sigma2", "prior")] == [cells, cells, 2]
    assert np.array_equal(found.cells[:cells], np.flatnonzero(extraction.used))
    assert np.array_equal(found.residuals[:cells], extraction.pulls)
    assert found.cells[-2:].tolist() == [-1, -1]
    eta = {int(name[2:]) for name, x in zip(found.names, found.jacobian[[-1]].toarray()[0], strict=True) if x}
    assert eta == {1}, "the last prior is that of the last eta bin"


def test_the_same_fit_gives_the_same_bytes(extraction: Extraction, tmp_path: Path) -> None:
    for name in "ab":
        Likelihood.of([extraction]).write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("fault", ["absent", "empty", "cut", "shape", "nan", "other"])
def test_what_is_no_likelihood_is_refused_with_one_line(extraction: Extraction, tmp_path: Path, fault: str) -> None:
    path = tmp_path / "likelihood.npz"
    Likelihood.of([extraction]).write(path)
    content = path.read_bytes()
    arrays = dict(np.load(path))
    if fault == "absent":
        path.unlink()
    elif fault in ("empty", "cut"):
        path.write_bytes(content[: len(content) // 2 if fault == "cut" else 0])
    else:
        changed = {"shape": {"values": arrays["values"][1:]}, "nan": {"gradient": np.nan * arrays["gradient"]}}
        np.savez(path, **(arrays | changed.get(fault, {"schema": np.array("other")})))
    with pytest.raises(InputError, match="likelihood") as caught:
        Likelihood.read(path)
    assert len(caught.value.faults) == 1
