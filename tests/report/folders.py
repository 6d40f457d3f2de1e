"""Folders of finished runs, made of numbers and not of fits."""

from pathlib import Path
from typing import Any

import numpy as np

from muonkit.calibration.lineshape import GAUSSIAN, probabilities
from muonkit.core.files import write_json, write_text
from muonkit.io.columns import write_columns, write_masses

CONFIG = """# a comment with <script>alert("quotes & brackets")</script>
[input]
data = ["data.parquet"]
format = "dimuon"

[binning]
eta_edges = [-2.4, -0.8, 0.8, 2.4]

[fit]
max_failed_share = 0.05
"""
ETA_EDGES = np.array([-2.4, -0.8, 0.8, 2.4])
ERRORS = {"A": 1e-4, "e": 8e-4, "M": 5e-6, "a": 1e-4}
MASS_EDGES = np.linspace(2.92, 3.28, 41)
CELLS = 12
PROVENANCE = {
    "muonkit": "0.1.0",
    "python": "3.11",
    "platform": "linux",
    "created": "2025-01-01T00:00:00+00:00",
    "config_sha256": "0" * 64,
    "inputs": [{"file": "data.parquet", "bytes": 12345}],
    "packages": {"numpy": "2.1"},
    "sample": None,
    "state": "0123456789abcdef",
}
RESONANCE = {"name": "jpsi", "mass": 3.0969, "window": [2.92, 3.28]}
ROWS = {"read": 20_010, "bad": 10, "same_sign": 0, "unmatched": 0, "repeated": 0}


def summary(fitted: tuple[str, ...], seed: int, size: float = 1.0) -> dict[str, Any]:
    """A fit with uncorrelated errors whose values are `size` standard deviations off 0."""
    rng, bins = np.random.default_rng(seed), len(ETA_EDGES) - 1
    errors = {name: [ERRORS[name]] * bins for name in fitted}
    values = {name: (size * ERRORS[name] * rng.normal(size=bins)).tolist() for name in fitted}
    covariance = np.diag(np.concatenate([np.square(errors[name]) for name in fitted]))
    return {
        "eta_edges": ETA_EDGES.tolist(),
        **values,
        "errors": errors,
        "parameter_names": [f"{name}_{i}" for name in fitted for i in range(bins)],
        "covariance": covariance.tolist(),
        "chi2": 10.0,
        "ndf": 9,
        "p_value": 0.35,
    }


def fit(fitted: tuple[str, ...]) -> dict[str, Any]:
    content = summary(fitted, seed=1, size=3.0)
    names = content["parameter_names"]
    axes = ("eta_plus", "eta_minus", "log_pt_ratio", "cos_dphi", "abs_eta_of_leading")
    content["cells"] = {"fitted": CELLS, "failed": 0, "skipped": 2, "fine": 30, "populated": 20}
    content["pairs"] = {
        "read": 20_000,
        "selected": 15_000,
        "outside_window": 3000,
        "outside_cuts": 1500,
        "outside_eta": 500,
        "negative": 0,
    }
    content["diagnostics"] = {
        "condition_number": 12.0,
        "condition_number_at_mean_k": 3.0,
        "largest_correlations": [{"first": names[0], "second": names[i], "value": 0.1} for i in (1, 2)],
        "weak_directions": [{"variance": 1.3, "parameters": {names[0]: 0.8, names[1]: -0.6}}],
        "residual_correlations": dict.fromkeys(axes, 0.001),
        "residual_correlations_corrected": dict.fromkeys(axes, 0.0005),
        "at_limit": [],
        "unknown": [],
        "A_at_mean_k": {"k0": [0.15] * 3, "value": [1e-4] * 3, "error": [3e-5] * 3},
    }
    return content


def off(p_value: float, pull: float) -> dict[str, Any]:
    test = {"chi2": 3.0, "ndf": 9, "p_value": p_value, "worst": "A_1", "worst_pull": pull}
    return {"test": test, "scale": [{"pt": pt, "value": 1e-6, "error": 1e-5} for pt in (6.0, 20.0, 45.0)]}


def calibration() -> dict[str, Any]:
    """calibration.json of a run with nothing wrong."""
    fitted = ("A", "e", "M", "a")
    closure = {
        "same": summary(fitted, seed=2, size=0.05) | off(1.0, 0.1),
        "split": summary(fitted, seed=3) | off(0.4, 1.9),
    }
    whole = fit(fitted)
    sample = {name: whole[name] for name in ("cells", "pairs")} | {"rows_read": ROWS, "resonance": RESONANCE}
    numbers = ("chi2", "measurements", "chi2_simulation", "measurements_simulation", "chi2_corrected")
    return whole | {
        "samples": [{"name": "jpsi"} | sample | dict.fromkeys(numbers, 20)],
        "systematics": {"window": [1e-6] * len(fitted) * (len(ETA_EDGES) - 1)},
        "reference": "truth",
        "rows_read": ROWS,
        "resonance": RESONANCE,
        "budget": [
            {"effect": "kernel", "change": "Gaussian in mass", "shift": [1e-4, 1e-4, 1e-4]},
            {"effect": "selection", "change": "inner half: not possible", "shift": None},
        ],
        "simulation": summary(fitted, seed=4) | off(0.3, 1.5),
        "closure": closure,
        "warnings": [],
        "provenance": PROVENANCE,
        "corrections_sha256": "0" * 64,
    }


def scale(offset: float, p_value: float) -> dict[str, Any]:
    bins = len(ETA_EDGES) - 1
    errors = {"error": [3e-4] * bins, "corrections_error": [1e-4] * bins, "total_error": [3.2e-4] * bins}
    against_one = {"chi2": 4.0, "ndf": bins, "p_value": p_value, "mean": 1 + offset, "mean_error": 2e-4}
    return {"eta_edges": ETA_EDGES.tolist(), "scale": [1 + offset] * bins} | errors | against_one


def validation() -> dict[str, Any]:
    """validation.json of a run with nothing wrong."""
    return {
        "reference": "truth",
        "rows_read": ROWS,
        "muons": {"calibrated": 20000, "extrapolated": 15000, "held": 2, "outside": 0},
        "resonance": RESONANCE | {"name": "z"},
        "before": scale(-2e-3, 1e-9),
        "after": scale(1e-4, 0.3),
        "fit": fit(("A",)),
        "warnings": [],
        "provenance": PROVENANCE,
        "corrections_sha256": "0" * 64,
    }


def write(out: Path, name: str, content: dict[str, Any], config: str = CONFIG) -> Path:
    """OUT/ with `content` as `name` and cells that follow their model."""
    rng = np.random.default_rng(7)
    theta = np.array([1.0, 0.012, 0.05, -1.0])
    node, weight = 3.0969 - 0.05 * np.arange(5), np.array([50.0, 4.0, 2.0, 1.0, 1.0])
    shares, _ = probabilities(theta, MASS_EDGES, node, weight, GAUSSIAN["curvature"])
    entries = 400.0 + 100 * np.arange(CELLS)
    counts = rng.poisson(entries[:, None] * shares).astype(float)
    bins = np.arange(CELLS) % 3
    columns = {"cell": np.arange(CELLS), "eta_plus_bin": bins, "eta_minus_bin": bins[::-1]}
    columns |= {"status": np.array(["converged"] * (CELLS - 1) + ["no_background"]), "entries": entries}
    columns |= {f"pt_{sign}": np.full(CELLS, 6.0) for sign in ("plus", "minus")}
    columns |= {name: np.full(CELLS, v) for name, v in zip(("mu", "sigma", "f_bkg", "slope"), theta, strict=True)}
    columns |= {f"{name}_error": np.full(CELLS, 1e-4) for name in ("mu", "sigma")}
    columns |= {"chi2": rng.chisquare(36, CELLS), "pull": np.append(rng.normal(size=CELLS - 1), np.nan)}
    write_columns(out / "cells.parquet", columns)
    write_masses(out / "masses.json.gz", counts, MASS_EDGES)
    write_masses(out / "curves.json.gz", counts.sum(axis=1, keepdims=True) * shares, MASS_EDGES)
    write_text(out / "config.toml", config)
    write_json(out / name, content)
    return out
