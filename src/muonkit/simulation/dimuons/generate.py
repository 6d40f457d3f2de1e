"""Dimuon samples for calibration: produce, decay, smear, bias, select; one block of pairs at a time.

A block is named by (seed, number) and depends on nothing else, so blocks can be made in any order and process."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from muonkit.core import random
from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.core.errors import InputError
from muonkit.core.kinematics import MuonArrays, mass
from muonkit.core.particles import Resonance, resonance
from muonkit.data.dimuons import Dimuons, Identity
from muonkit.simulation.dimuons import decays, drell_yan
from muonkit.simulation.dimuons.config import USUAL_BEAMS, Generate, PerEta, SimulateDimuons

AHEAD = 8  # blocks asked for at once
TRIED = 1_000_000  # pairs that must have been generated before too few accepted ones are a fault
ACCEPTED = 1e-5  # least share of accepted pairs


@dataclass(frozen=True, slots=True)
class EventBlock:
    """The work order for one block of generated pairs."""

    config: SimulateDimuons
    number: int


def generate(config: SimulateDimuons, run: Callable[..., Iterable[Dimuons]] = map) -> Iterator[Dimuons]:
    """Tables of accepted pairs, `config.generate.events` of them in all. `run` stands in for `map`.

    Raises InputError if almost no pair is accepted."""
    missing, numbers, tried = config.generate.events, count(), 0
    while missing > 0:
        require_acceptance(config, config.generate.events - missing, tried)
        tried += AHEAD * config.generate.block
        for table in run(make_block, [EventBlock(config, number) for number in islice(numbers, AHEAD)]):
            kept = table[: min(missing, len(table))]
            missing -= len(kept)
            if len(kept):
                yield kept


def require_acceptance(config: SimulateDimuons, accepted: int, tried: int) -> None:
    """Raises InputError, with the likely reason, if fewer than ACCEPTED of at least TRIED pairs were accepted."""
    if tried < TRIED or accepted >= ACCEPTED * tried:
        return
    passed = _passed(_generated(EventBlock(config, 0)), config)
    reason, share = min(((name, float(mask.mean())) for name, mask in passed.items()), key=lambda each: each[1])
    raise InputError(
        f"{accepted} of {tried} generated pairs are accepted; {share:.2%} pass {reason}. "
        "Widen it, or change spectrum, bias or resolution."
    )


def make_block(block: EventBlock) -> Dimuons:
    """The accepted pairs of one block."""
    table = _generated(block)
    accepted: BoolArray = np.all(list(_passed(table, block.config).values()), axis=0)
    return table[accepted]


def _generated(block: EventBlock) -> Dimuons:
    config, n = block.config, block.config.generate.block
    rng = random.stream(config.generate.seed, block.number)
    species = resonance(config.generate.resonance)
    gen_plus, gen_minus = _generator_muons(config, species, n, rng)
    plus, minus = (_reconstruct(muon, q, config, rng) for muon, q in ((gen_plus, 1), (gen_minus, -1)))
    first = np.int64(block.number) * n
    number = np.ones(n, dtype=np.int64)
    identity = Identity(number, number * (block.number + 1), first + np.arange(n, dtype=np.int64))
    return Dimuons(plus, minus, np.ones(n), identity, gen_plus, gen_minus)


def _generator_muons(
    config: SimulateDimuons, species: Resonance, n: int, rng: np.random.Generator
) -> tuple[MuonArrays, MuonArrays]:
    pt = decays.sample_pt(config.spectrum, n, rng)
    y = config.spectrum.y_max * (2 * rng.random(n) - 1)
    phi = np.pi * (2 * rng.random(n) - 1)
    is_background = rng.random(n) < config.background.fraction
    plus, minus = _signal(config, species, pt, y, phi, rng)
    if not is_background.any():
        return plus, minus
    masses = _background_mass(config, n, rng)
    other_plus, other_minus = decays.decay_mass(masses, np.zeros(n), pt, y, phi, rng)
    return _choose(is_background, other_plus, plus), _choose(is_background, other_minus, minus)


def _signal(
    config: SimulateDimuons,
    species: Resonance,
    pt: FloatArray,
    y: FloatArray,
    phi: FloatArray,
    rng: np.random.Generator,
) -> tuple[MuonArrays, MuonArrays]:
    line = _line(config.generate, species)
    if config.generate.engine == "pythia":
        if not config.generate.radiation:
            raise InputError('generate.radiation: engine = "pythia" always radiates; use the built-in engine')
        from muonkit.simulation.dimuons import pythia

        return pythia.decay(species.name, pt, y, phi, int(rng.integers(1, 900_000_000)), line)
    return decays.decay(line, pt, y, phi, config.generate.radiation, rng)


def _line(choice: Generate, species: Resonance) -> decays.Line:
    if species.name == "z":
        return drell_yan.line(species, choice.sqrt_s or USUAL_BEAMS, choice.reach)
    return decays.BreitWigner(species)


def _choose(mask: BoolArray, yes: MuonArrays, no: MuonArrays) -> MuonArrays:
    return MuonArrays(*(np.where(mask, a, b) for a, b in zip(yes, no, strict=True)))


def _background_mass(config: SimulateDimuons, n: int, rng: np.random.Generator) -> FloatArray:
    low, high = config.generate.reach
    slope = config.background.slope or 1e-9
    return low + np.log1p(rng.random(n) * np.expm1(slope * (high - low))) / slope


def per_muon(values: tuple[float, ...], choice: PerEta, eta: FloatArray) -> FloatArray:
    """The configured value of every muon; muons outside the eta edges take the nearest bin."""
    edges = np.array(choice.eta_edges)
    table = np.broadcast_to(np.array(values), (len(edges) - 1,))
    return table[np.clip(np.searchsorted(edges, eta, side="right") - 1, 0, len(edges) - 2)]


def _reconstruct(muon: MuonArrays, q: int, config: SimulateDimuons, rng: np.random.Generator) -> MuonArrays:
    """Kick of the curvature, then the bias; kicks of the angles if asked for."""
    kick = rng.standard_normal(len(muon.pt)) * _relative_sigma(muon, config)
    kick = _with_tails(kick, muon, config, rng)
    k = biased_curvature((1 + kick) / muon.pt, q, muon.eta, config)
    resolution = config.resolution
    eta, phi = muon.eta, muon.phi
    if resolution.sigma_eta or resolution.sigma_phi:
        eta = eta + resolution.sigma_eta * rng.standard_normal(len(eta))
        phi = phi + resolution.sigma_phi * rng.standard_normal(len(phi))
    return MuonArrays(1 / k, eta, phi)


def _relative_sigma(muon: MuonArrays, config: SimulateDimuons) -> FloatArray:
    res = config.resolution
    a, c, g, d = (per_muon(values, res, muon.eta) for values in (res.a, res.c, res.g, res.d))
    return np.sqrt(a**2 + c**2 * (muon.pt**2 + g**2) / (1 + (d / muon.pt) ** 2))


def _with_tails(kick: FloatArray, muon: MuonArrays, config: SimulateDimuons, rng: np.random.Generator) -> FloatArray:
    res, n = config.resolution, len(kick)
    if any(res.tail_share):
        wide = rng.random(n) < per_muon(res.tail_share, res, muon.eta)
        kick = np.where(wide, kick * per_muon(res.tail_factor, res, muon.eta), kick)
    if any(res.straggling):
        kick = kick + (rng.standard_exponential(n) - 1) * per_muon(res.straggling, res, muon.eta) / muon.pt
    return kick


def biased_curvature(k_true: FloatArray, q: int, eta: FloatArray, config: SimulateDimuons) -> FloatArray:
    """The k [1/GeV] with (1 + A - e k) k + q M = k_true."""
    A, e, M = (per_muon(values, config.bias, eta) for values in (config.bias.A, config.bias.e, config.bias.M))
    constant = k_true - q * M
    # below pT = 4 e the formula has no root; such muons are far below any cut
    return 2 * constant / (1 + A + np.sqrt(np.maximum((1 + A) ** 2 - 4 * e * constant, 0)))


def _passed(table: Dimuons, config: SimulateDimuons) -> dict[str, BoolArray]:
    """Which pairs (n,) pass, by the name of the cut. Pairs without a curvature pass none."""
    (low, high), cuts = config.generate.reach, config.selection
    positive = (table.plus.pt > 0) & (table.minus.pt > 0)
    with np.errstate(invalid="ignore", over="ignore"):  # curvatures of nearly 0
        m = mass(table.plus, table.minus)
        scaled = np.minimum(table.plus.pt, table.minus.pt) * resonance(config.generate.resonance).mass
        hard = scaled > cuts.scaled_pt_min * m
    central = np.maximum(np.abs(table.plus.eta), np.abs(table.minus.eta)) < cuts.eta_max
    return {
        f"the cut |eta| < {cuts.eta_max:g}": positive & central,
        f"the mass window with its margin, {low:.4g}-{high:.4g} GeV": positive & (m > low) & (m < high),
        f"the cut on pT/m x m_resonance > {cuts.scaled_pt_min:g} GeV": positive & hard,
    }
