"""The audit of a track fit: what was found, and the verdict on the improved fit.

PASS is said only where a wrong fit would not pass: in every bin, two errors beyond the shift are still below the goal.
A bin that is beyond the goal by more than chance is a failure. Between the two nothing can be told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from muonkit.calibration.audit import Bin, Pull, Size, View
from muonkit.calibration.curvature import BiasFit, Location, number
from muonkit.calibration.verdict import Check, Verdict
from muonkit.core.result import Result, Status
from muonkit.tracking.refit import REFIT_STATUS
from muonkit.transport.status import OK

CHANCE = 0.01  # that a fit whose shift is the goal in all bins is said to be beyond it in any
SURE = 2.0  # errors between a shift and the goal
ENOUGH = 5.0  # errors that the goal should be, to advise on the number of tracks
NAMED = 4  # bins
PULL_HEADS = ("mean", "spread", "core: mean", "core: width")
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Tracks with a truth, and hits of tracks without one; how many every model fitted; why the improved fit failed;
    tracks outside of the bins by view; share of failed fits that is allowed."""

    tracks: int
    without_truth: int
    fitted: Mapping[str, int]
    status: Mapping[int, int]
    outside: Mapping[str, int]
    max_failed_share: float

    @property
    def failed(self) -> int:
        """Tracks that the improved fit lost."""
        return self.tracks - next(iter(self.fitted.values()))

    @property
    def lines(self) -> list[str]:
        """What was not used, a line each."""
        lost = {model: self.tracks - fitted for model, fitted in self.fitted.items()}
        numbers = {"without truth (not used)": self.without_truth}
        numbers |= {f"without {model} fit": n for model, n in lost.items()}
        numbers |= {f"lost by the improved fit, {REFIT_STATUS[code]}": n for code, n in self.reasons.items()}
        numbers |= {f"outside of the bins of {view}": n for view, n in self.outside.items()}
        return [f"tracks {what}: {n}" for what, n in numbers.items() if n]

    @property
    def reasons(self) -> dict[int, int]:
        """Tracks by status of the improved fit, without those that it fitted."""
        return {code: n for code, n in sorted(self.status.items()) if code != OK}


@dataclass(frozen=True, slots=True)
class CurvatureResult(Result):
    """The audit. sizes: of every model; sums: of the approximations; views; biases: A, e, M per model and bin of eta;
    pulls: of the improved fit; bins: all in which the improved fit is judged; goal: its largest shift."""

    PAGE = "audit.html"

    folder: Path
    goal: float
    counts: Counts
    sizes: tuple[Size, ...]
    sums: tuple[Size, ...]
    views: tuple[View, ...]
    biases: Mapping[str, tuple[BiasFit, ...]]
    pulls: tuple[Pull, ...]
    bins: tuple[Bin, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """The improved fit first."""
        return tuple(self.biases)

    @property
    def eta(self) -> tuple[Location, ...]:
        """k_reco/k_gen - 1 of the improved fit in bins of eta."""
        return self.views[0].shift[self.models[0]]

    @property
    def beyond(self) -> list[Bin]:
        """Bins in which the improved fit is shifted by more than the goal, beyond chance."""
        return [one for one in self.bins if self._is_beyond(one.shift)]

    @property
    def open(self) -> list[Bin]:
        """Bins in which the shift may be within the goal or not, and those with too few tracks."""
        return [one for one in self.bins if not self._is_beyond(one.shift) and not self._is_within(one.shift)]

    def _is_beyond(self, shift: Location) -> bool:
        limit = float(norm.isf(CHANCE / 2 / len(self.bins)))
        return abs(shift.value) > self.goal + limit * shift.error

    def _is_within(self, shift: Location) -> bool:
        return abs(shift.value) + SURE * shift.error <= self.goal

    @property
    def verdict(self) -> Verdict:
        """What fails; the notes say what cannot be told, and what was not used."""
        names = ", ".join(one.name for one in self.beyond[:NAMED]) + (", ..." if len(self.beyond) > NAMED else "")
        found = f"The improved fit is shifted by more than {self.goal:g} in {len(self.beyond)} of {len(self.bins)} bins"
        lost = f"{self.counts.failed} of {self.counts.tracks} tracks have no improved fit"
        many = self.counts.failed > self.counts.max_failed_share * self.counts.tracks
        checks = (
            Check("shift", not self.beyond, f"{found}: {names}."),
            Check("fitted", not many, f"{lost}: more than input.max_failed_share allows."),
        )
        return Verdict(checks, (*self._cannot_tell(), *self._without_bias()))

    def _cannot_tell(self) -> Iterator[str]:
        """Why nothing can be told, and what to do."""
        thin = [one for one in self.open if not np.isfinite(one.shift.value)]
        wide = [one for one in self.open if np.isfinite(one.shift.value)]
        if wide:
            worst = max(wide, key=lambda one: one.shift.error)
            factor = (ENOUGH * worst.shift.error / self.goal) ** 2
            more = f"; about {factor:.2g} times as many tracks would tell" if factor > 1 else ""
            yield (
                f"Cannot tell whether the improved fit is within {self.goal:g}: not in {len(wide)} of {len(self.bins)} "
                f"bins. The largest error is {worst.shift.error:.1e} ({worst.name}){more}."
            )
        if thin:
            yield (
                f"Cannot tell anything in {len(thin)} of {len(self.bins)} bins, which have too few tracks ("
                f"{thin[0].name}, ...). Simulate more, or set the edges of [audit] to where the tracks are."
            )

    def _without_bias(self) -> Iterator[str]:
        missing = sum(fit.ndf == 0 and not np.isfinite(fit.values[0]) for fit in self.biases[self.models[0]])
        if missing:
            why = "too few tracks, or of one charge or one momentum only"
            yield f"Bins of eta without A, e, M ({why}): {missing} of {len(self.eta)}."

    @property
    def status(self) -> Status:
        """DONE where nothing can be told."""
        return "ATTENTION" if not self.verdict.passed else "DONE" if self.open else "PASS"

    @property
    def word(self) -> str:
        """The verdict for the page."""
        return "CANNOT TELL" if self.status == "DONE" else self.status

    @property
    def lines(self) -> list[str]:
        """What was used and what was not, and the bins, a line each."""
        bins, beyond, not_known = len(self.bins), len(self.beyond), len(self.open)
        known = f"improved fit within {self.goal:g} in {bins - beyond - not_known} of {bins} bins"
        return [
            f"{self.counts.tracks} tracks",
            *self.counts.lines,
            f"{known}, beyond in {beyond}, not known in {not_known}",
        ]

    @property
    def message(self) -> str:
        return self.verdict.message

    @property
    def heads(self) -> list[str]:
        """Of the columns of the table of sizes: places and ranges of pT [GeV]."""
        return [f"{one.place} {one.pt[0]:g}-{one.pt[1]:g}" for one in self.sizes if one.model == self.models[0]]

    @property
    def size_rows(self) -> list[Row]:
        """Shifts in 1e-5, a row per model, then the sums."""
        both = (*self.sizes, *self.sums)
        models = dict.fromkeys(one.model for one in both)
        return [(model, *(_in_1e5(one.shift) for one in both if one.model == model)) for model in models]

    @property
    def bias_rows(self) -> list[Row]:
        """A row per model: chi2/ndf of A, e, M summed over bins of eta, and the largest of each."""
        return [(model, *_summed(fits)) for model, fits in self.biases.items()]

    @property
    def spread_rows(self) -> list[Row]:
        """Change of the scale from bin to bin of eta, a row per model: smallest, largest, rms in 1e-5."""
        return [(model, *_spread(found)) for model, found in self.views[0].change.items()]

    @property
    def pull_rows(self) -> list[Row]:
        """Of the improved fit: mean and standard deviation of the pulls, mean and width of their core."""
        return [
            (pull.name, *(f"{value:.3f}" for value in (pull.mean, pull.spread, pull.core.value, pull.core.width)))
            for pull in self.pulls
        ]

    def report(self) -> str:
        lines = [
            f"{self.folder}: {self.word}",
            *self.lines,
            "shift of the curvature [1e-5]: improved fit against the truth, the others against the improved fit",
            _line("pT [GeV]", self.heads),
            *(_line(row[0], row[1:]) for row in self.size_rows),
            "change in bins of eta [1e-5]",
            _line("", ("smallest", "largest", "rms")),
            *(_line(row[0], row[1:]) for row in self.spread_rows),
            "chi2/ndf of A, e, M in bins of eta, and the largest of each in bins",
            _line("", ("chi2/ndf", "A", "e [GeV]", "M [1/GeV]")),
            *(_line(row[0], row[1:]) for row in self.bias_rows),
            "pulls of the improved fit at the beam line",
            _line("", PULL_HEADS),
            *(_line(row[0], row[1:]) for row in self.pull_rows),
            str(self.folder / self.PAGE),
        ]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        beyond = self.beyond
        return {
            "folder": str(self.folder),
            "status": self.status,
            "tracks": self.counts.tracks,
            "without_truth": self.counts.without_truth,
            "fitted": dict(self.counts.fitted),
            "failed": {REFIT_STATUS[code]: n for code, n in self.counts.reasons.items()},
            "goal": self.goal,
            "bins_beyond": sum(one.view == "eta" for one in beyond),
            "judged": {
                "bins": len(self.bins),
                "beyond": [one.name for one in beyond],
                "not_known": [one.name for one in self.open],
            },
            "sizes": [_size(one) for one in self.sizes],
            "sums": [_size(one) for one in self.sums],
            "eta_edges": self.views[0].edges.tolist(),
            "eta": [_plain(one) for one in self.eta],
            "views": {view.name: view.to_json() for view in self.views},
            "biases": {model: [fit.to_json() for fit in fits] for model, fits in self.biases.items()},
            "pulls": {pull.name: pull.to_json() for pull in self.pulls},
            "message": self.message,
            "text": str(self),
        }


def _line(head: str, cells: list[str] | Row) -> str:
    return f"{head:<26}" + "".join(f"{cell:>18}" for cell in cells)


def _in_1e5(found: Location) -> str:
    if not np.isfinite(found.value):
        return "-"
    return f"{1e5 * found.value:.1f} +- {1e5 * found.error:.1f}"


def _summed(fits: tuple[BiasFit, ...]) -> Row:
    known = [fit for fit in fits if np.isfinite(fit.values[0])]
    if not known:
        return "-", "-", "-", "-"
    largest = np.abs([fit.values for fit in known]).max(axis=0)
    return f"{sum(fit.chi2 for fit in known):.1f}/{sum(fit.ndf for fit in known)}", *(f"{one:.1e}" for one in largest)


def _spread(found: tuple[Location, ...]) -> Row:
    values = 1e5 * np.array([one.value for one in found if np.isfinite(one.value)])
    if not len(values):
        return "-", "-", "-"
    return f"{values.min():.1f}", f"{values.max():.1f}", f"{values.std():.1f}"


def _size(size: Size) -> dict[str, Any]:
    return {"model": size.model, "place": size.place, "pt": list(size.pt)} | _plain(size.shift)


def _plain(one: Location) -> dict[str, Any]:
    parts = {name: number(getattr(one, name)) for name in ("value", "error", "width")}
    return parts | {"entries": one.entries}
