"""A simulation that cannot accept pairs stops with the likely reason; values that have no meaning are refused."""

import pytest

from muonkit.calibration.config import Calibrate
from muonkit.core.config import parse
from muonkit.core.errors import InputError
from muonkit.pipelines import inputs
from muonkit.simulation.dimuons.config import SimulateDimuons
from muonkit.simulation.dimuons.generate import generate

GENERATE = "[generate]\nevents = 100\n"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("[selection]\nscaled_pt_min = 1e6", "0.00% pass the cut on pT/m x m_resonance > 1e"),
        ("[selection]\neta_max = 1e-9", "0.00% pass the cut |eta| < 1e-09"),
        ("mass_window = [50.0, 60.0]", "0.00% pass the mass window"),
        ("[spectrum]\ny_max = 0.001\npt_max = 0.01", "pass the cut on pT/m"),
    ],
)
def test_a_simulation_that_accepts_nothing_stops_with_the_reason(lines: str, reason: str) -> None:
    config = parse(f"{GENERATE}block = 100_000\n{lines}\n", SimulateDimuons)
    with pytest.raises(InputError, match="generated pairs are accepted") as refused:
        list(generate(config))
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("[template]\nspectrum = {pt_min = 0.0, pt_max = 1.0}", "0 of 1000000 generated pairs are accepted"),
        ("[selection]\nscaled_pt_min = 200.0", "holds no parents above 320 GeV, which selection.scaled_pt_min needs"),
    ],
)
def test_a_template_that_accepts_nothing_stops_with_the_reason(tmp_path, lines: str, said: str) -> None:
    (tmp_path / "a.csv").write_text("plus_pt,plus_eta,plus_phi,minus_pt,minus_eta,minus_phi\n5,0,0,5,0,0.6\n")
    config = parse(f'[input]\ndata = ["a.csv"]\n[binning]\neta_edges = [-2.4, 2.4]\n{lines}\n', Calibrate)
    with pytest.raises(InputError) as refused:
        inputs.pieces(config, tmp_path)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("mass_window = [-1.0, 4.0]", "generate.mass_window.0"),
        ("mass_window = [4.0, 3.0]", "range must rise"),
        ("block = 10_000_000_000", "generate.block"),
        ("[bias]\nA = [-1.0]", "bias.A.0"),
        ("[bias]\nM = [1e300]", "bias.M.0"),
        ("[resolution]\nd = [1e300]", "resolution.d.0"),
        ("[resolution]\nsigma_phi = 1e300", "resolution.sigma_phi"),
        ("[spectrum]\npt_max = 1e300", "spectrum.pt_max"),
        ("[spectrum]\ny_max = 1e3", "spectrum.y_max"),
        ("[background]\nfraction = 0.5\nslope = 1e5", "background.slope: is too steep"),
    ],
)
def test_a_value_without_meaning_is_one_line_that_names_its_key(lines: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(f"{GENERATE}{lines}\n", SimulateDimuons)
    assert len(refused.value.faults) == 1
    assert said in refused.value.faults[0]


def test_events_have_an_upper_bound() -> None:
    with pytest.raises(InputError, match=r"generate\.events"):
        parse("[generate]\nevents = 9_000_000_000_000_000_000\n", SimulateDimuons)
