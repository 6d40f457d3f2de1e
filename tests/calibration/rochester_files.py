"""Text files of Rochester corrections with random numbers of the usual size, and their formulas written anew."""

import math
from pathlib import Path

import numpy as np
from scipy.stats import norm

ETA, ABS_ETA, PHI_BINS, LEAST, LAYERS = (-2.4, -1.1, 0.2, 2.4), (0.0, 0.9, 2.4), 5, 6, 4
MEMBERS = (1, 3, 1)


def text(seed: int = 1, resolution: bool = True) -> str:
    """A whole file: three sets with 1, 3 and 1 members."""
    rng = np.random.default_rng(seed)
    lines = [f"NSET {len(MEMBERS)}", "NMEM 1 3 1", "TVAR 0 1 2"]
    if resolution:
        lines += [f"RMIN {LEAST}", f"RTRK {LAYERS}", f"RETA {len(ABS_ETA) - 1} {_row(ABS_ETA)}"]
    lines += [f"CPHI {PHI_BINS}", f"CETA {len(ETA) - 1} {_row(ETA)}"]
    for number, members in enumerate(MEMBERS):
        for member in range(members):
            lines += _member(f"{number} {member}", rng, resolution)
    return "\n".join(lines) + "\n"


def _member(head: str, rng: np.random.Generator, resolution: bool) -> list[str]:
    lines = []
    ranges = {0: (0.01, 0.02), 1: (1e-5, 1e-4), 2: (-1e-5, 1e-5), 3: (0.8, 1.1), 4: (1.2, 2.5), 5: (3.0, 12.0)}
    for row in range(len(ABS_ETA) - 1) if resolution else ():
        lines += [f"{head} R {v} {row} {_row(rng.uniform(*ranges[v], LAYERS))}" for v in ranges]
        lines += [f"{head} T {t} {row} {_row(np.linspace(0, 1, LAYERS + 1))}" for t in (0, 1)]
    if resolution:
        lines += [f"{head} F 0 1.0 1.0", f"{head} F 1 {_row(rng.uniform(1.05, 1.2, 2))}"]
    for sample in (0, 1):
        for row in range(len(ETA) - 1):
            lines.append(f"{head} C {sample} 0 {row} {_row(rng.normal(0, 0.1, PHI_BINS))}")
            lines.append(f"{head} C {sample} 1 {row} {_row(rng.normal(0, 3e-3, PHI_BINS))}")
    return lines


def _row(values) -> str:  # type: ignore[no-untyped-def]
    return " ".join(repr(float(value)) for value in values)


def write(path: Path, seed: int = 1, resolution: bool = True) -> Path:
    path.write_text(text(seed, resolution))
    return path


def numbers(content: str, *head: object) -> list[float]:
    """The numbers of the line that begins with `head`."""
    begin = [str(word) for word in head]
    (line,) = (line.split() for line in content.splitlines() if line.split()[: len(begin)] == begin)
    return [float(word) for word in line[len(begin) :]]


def scale(content: str, sample: int, eta: float, phi: float, pt: float, q: int, s: int = 0, m: int = 0) -> float:
    """Corrected pT / pT of one muon."""
    row = max(i for i, edge in enumerate(ETA[:-1]) if edge <= eta)
    cell = math.floor((phi + math.pi) / (2 * math.pi / PHI_BINS))
    M, A = (numbers(content, s, m, "C", sample, v, row)[cell] / 100 for v in (0, 1))
    return 1 / (1 + M + q * A * pt)


def spread(content: str, muon: tuple[float, float, float, int], gen_pt: float, s: int = 0, m: int = 0) -> float:
    k, row = scale(content, 0, *muon, s, m), _row_of(muon[0])
    simulation, data = (numbers(content, s, m, "F", t)[row] for t in (0, 1))
    x = gen_pt / (k * muon[2])
    return k * x / (1 + (x - 1) * data / simulation)


def smear(content: str, muon: tuple[float, float, float, int], layers: int, u: float, s: int = 0, m: int = 0) -> float:
    k, row = scale(content, 0, *muon, s, m), _row_of(muon[0])
    column = min(max(layers - LEAST, 0), LAYERS - 1)
    a, b, c, width, alpha, power = (numbers(content, s, m, "R", v, row)[column] for v in range(6))
    d = k * muon[2] - 45
    simulation, data = (numbers(content, s, m, "F", t)[row] for t in (0, 1))
    extra = math.sqrt(data**2 - simulation**2) if data > simulation else 0.0
    shift = extra * (a + b * d + c / 100 * d * d) * width * crystal_ball(u, alpha, power)
    return k / (1 + shift) if shift > -1 else k


def _row_of(eta: float) -> int:
    return max(i for i, edge in enumerate(ABS_ETA[:-1]) if edge <= abs(eta))


def crystal_ball(u: float, alpha: float, power: float) -> float:
    """Where the integral of a Gaussian of width 1 with two equal power tails beyond alpha reaches u."""
    tail = power / alpha / (power - 1) * math.exp(-(alpha**2) / 2)
    core = math.sqrt(2 * math.pi) * (1 - 2 * norm.sf(alpha))
    below = tail / (core + 2 * tail)
    if u > 0.5:
        return -crystal_ball(1 - u, alpha, power)
    if u < below:  # the tail is (1 + (-x - alpha) alpha / n)^-n of its value at alpha
        return -alpha - power / alpha * ((below / u) ** (1 / (power - 1)) - 1)
    return float(norm.ppf(norm.cdf(-alpha) + (u - below) * (core + 2 * tail) / math.sqrt(2 * math.pi)))
