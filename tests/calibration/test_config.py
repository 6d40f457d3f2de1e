"""What cannot be calibrated is refused when the configuration is read: one line that names the key."""

import pytest

from muonkit.calibration.config import Calibrate
from muonkit.core.config import parse
from muonkit.core.errors import InputError

INPUT = '[input]\ndata = ["a.parquet"]\n'
MANY = [*(i / 10 for i in range(62)), 6.283185]  # edges of 62 bins
BINNING = "[binning]\neta_edges = [-2.4, 0.0, 2.4]\n"


def with_line(section: str, line: str) -> str:
    sections = {"input": INPUT, "binning": BINNING}
    sections[section] = sections.get(section, f"[{section}]\n") + line + "\n"
    return "".join(sections.values())


@pytest.mark.parametrize(
    ("section", "line", "said"),
    [
        ("resonance", "window = [-1.0, 4.0]", "resonance.window.0: Input should be greater"),
        ("resonance", "window = [0.0, 4.0]", "resonance.window.0: Input should be greater"),
        ("resonance", "window = [2.9, 1e300]", "resonance.window.1: Input should be less"),
        ("resonance", "window = [3.3, 2.9]", "range must rise"),
        ("resonance", "window = [3.1, 3.1]", "range must rise"),
        ("resonance", "window = [3.5, 3.8]", "does not hold jpsi at 3.097 GeV"),
        ("resonance", "window = [nan, 3.8]", "finite"),
        ("selection", "scaled_pt_max = 3.0", "must be above scaled_pt_min"),
        ("fit", "priors = {A = [0.0, 0.0]}", "fit.priors.A.1: Input should be greater"),
        ("fit", "priors = {A = [0.0, -1.0]}", "fit.priors.A.1: Input should be greater"),
        ("fit", "priors = {A = [0.0, nan]}", "finite"),
        ("fit", "priors = {A = [inf, 1.0]}", "finite"),
        ("fit", "priors = {g = [1.0, 1.0]}", "g is not among the parameters"),
        ("fit", 'method = "foo"', "fit.method: Input should be 'cells' or 'unbinned'"),
        ("fit", "method = 1", "fit.method: Input should be 'cells' or 'unbinned'"),
        ("fit", 'method = "unbinned"\nparameters = ["A", "a", "d"]', "knows a and c of the resolution, not d"),
        ("fit", 'method = "unbinned"\nkernel = "mass"', 'kernel: "mass" needs method = "cells"'),
        (
            "resonance",
            'name = "upsilon1s"\nothers = {upsilon2s = 0.3}\n[fit]\nmethod = "unbinned"',
            'resonance.others: fit.method = "unbinned" takes one resonance',
        ),
        ("binning", "mass_bins = 3_000_000_000", "binning.mass_bins"),
        ("binning", "cos_dphi_bins = 3_000_000_000", "binning.cos_dphi_bins"),
        ("binning", "mass_bins = 5000\ncos_dphi_bins = 500\nlog_pt_ratio_bins = 500", "at most 0.5 GB are allowed"),
        ("binning", "phi_edges = [0.0, 2.0, 1.0, 6.283185]", "binning.phi_edges: edges must rise"),
        (
            "binning",
            "phi_edges = [-3.14159, 3.0]",
            "phi_edges: must span a full turn of 6.283185 rad, but span 6.1",
        ),
        ("binning", "phi_edges = [0.0, 180.0, 360.0]", "but span 360; end at 6.283185"),
        ("binning", "phi_edges = []", "binning.phi_edges: needs at least two edges"),
        ("binning", "phi_edges = [nan, 1.0]", "finite"),
        (
            "binning",
            f"phi_edges = {[0.1 * i for i in range(62)] + [6.283185]}",
            "2 x 62 bins of eta and phi, at most 120",
        ),
        ("template", "events = 9_000_000_000_000", "template.events"),
        ("template", "seed = -1", "template.seed"),
        ("template", "spectrum = {y_max = 1e300}", "template.spectrum.y_max"),
        ("template", "spectrum = {pt_scale = 1e-3, pt_power = 50, pt_min = 5.0}", "the spectrum is 0 above pt_min"),
        ("template", "resolution = {a = [-0.01]}", "template.resolution.a.0"),
        ("input", "label = '$\\foo$'", "input.label: is not valid mathtext"),
        ("input", "label = 'energy in $\\frac{1}$'", "input.label: is not valid mathtext"),
        ("input", 'label = "a\\u0000b"', "input.label: has control characters"),
    ],
)
def test_fault_is_one_line_that_names_its_key(section: str, line: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(with_line(section, line), Calibrate, "c.toml")
    assert len(refused.value.faults) == 1
    assert said in refused.value.faults[0]
    assert "\n" not in refused.value.faults[0]


@pytest.mark.parametrize("edges", [200, 2000])
def test_cells_of_many_eta_bins_are_refused_by_their_memory(edges: int) -> None:
    many = ", ".join(str(-2 + 4 * i / edges) for i in range(edges + 1))
    with pytest.raises(InputError, match=r"GB for every sum"):
        parse(f"{INPUT}[binning]\neta_edges = [{many}]\nmass_bins = 200\n", Calibrate)


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("resonance", "window = [2.5, 3.6]"),
        ("fit", 'parameters = ["A"]\npriors = {A = [0.0, 1e-5], c = [1e-4, 1e-4]}'),
        ("binning", "mass_bins = 400"),
        ("binning", "phi_edges = [0.0, 3.1416, 6.2832]"),
        ("input", "label = '$J/\\psi$ in 5 % of $pp$'"),
        ("input", "label = 'costs $5, a_b^c & <more>'"),
        ("input", 'label = "Simulation µ → ψ"'),
    ],
)
def test_what_can_be_used_is_taken(section: str, line: str) -> None:
    parse(with_line(section, line), Calibrate)
