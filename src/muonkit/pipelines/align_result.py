"""What `muonkit align` returns."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.alignment.parameters import NAMES, UNITS
from muonkit.alignment.reference import MassReference
from muonkit.alignment.solve import Corrections
from muonkit.core.arrays import IntArray
from muonkit.core.result import Result, Status
from muonkit.pipelines.align_piece import CODES, AlignPiece
from muonkit.tracking.refit import REFIT_STATUS
from muonkit.transport.status import OK

CORRECTIONS, MODES, RESULT, PAGE = "corrections.json", "modes.json", "align.json", "align.html"
MILLE, LABELS, STEERING = "mille.bin", "mille.labels.txt", "mille.steering.txt"


@dataclass(slots=True)
class Pass:
    """One fit of the hits: tracks by status (c,), those with a bad chi2, pairs that were used and that were not; chi2,
    ndf of the tracks that were used, with the corrections so far."""

    status: IntArray = field(default_factory=lambda: np.zeros(CODES, dtype=np.int64))
    bad_chi2: int = 0
    pairs: int = 0
    other_pairs: int = 0
    used: int = 0
    lost: int = 0
    chi2: float = 0.0
    ndf: int = 0

    def add(self, piece: AlignPiece) -> None:
        """One more piece."""
        self.status += piece.status
        self.bad_chi2 += piece.bad_chi2
        self.pairs += piece.pairs
        self.other_pairs += piece.other_pairs
        self.used += piece.sums.tracks
        self.lost += piece.sums.lost
        self.chi2 += piece.sums.chi2
        self.ndf += piece.sums.ndf

    @property
    def tracks(self) -> int:
        """All tracks that were fitted or not."""
        return int(self.status.sum())

    @property
    def failed(self) -> dict[str, int]:
        """Tracks without a fit, by the reason."""
        return {REFIT_STATUS[code]: n for code, n in enumerate(self.status.tolist()) if n and code != OK}

    def report(self, number: int) -> list[str]:
        """Lines of text."""
        lines = [
            f"fit {number}: {self.tracks} tracks, {int(self.status[OK])} fitted, {self.used} used; "
            f"chi2/ndf {self.chi2 / max(self.ndf, 1):.4f}",
            *(f"  {count} tracks: {why}" for why, count in self.failed.items()),
        ]
        lines += [f"  {self.bad_chi2} tracks with a chi2 above the limit are left out"] if self.bad_chi2 else []
        lines += [f"  {self.lost} tracks could not be followed"] if self.lost else []
        if self.pairs or self.other_pairs:
            lines.append(f"  masses of {self.pairs} pairs; {self.other_pairs} more have a track or a mass of no use")
        return lines

    def to_json(self) -> dict[str, Any]:
        names = ("tracks", "failed", "used", "bad_chi2", "lost", "pairs", "other_pairs", "chi2", "ndf")
        return {name: getattr(self, name) for name in names} | {"fitted": int(self.status[OK])}


@dataclass(frozen=True, slots=True)
class AlignResult(Result):
    """The folder, its files, every fit of the hits, the corrections, what the mass should be, notes a line each."""

    folder: Path
    files: tuple[str, ...]
    passes: tuple[Pass, ...]
    corrections: Corrections
    reference: MassReference | None
    max_failed_share: float
    notes: tuple[str, ...]

    @property
    def status(self) -> Status:
        first = self.passes[0]
        return "ATTENTION" if sum(first.failed.values()) > self.max_failed_share * first.tracks else "DONE"

    @property
    def message(self) -> str:
        first = self.passes[0]
        lost = f"{sum(first.failed.values())} of {first.tracks} tracks were not fitted"
        lines = [f"{lost}: more than input.max_failed_share allows"] if self.status == "ATTENTION" else []
        return "\n".join([*lines, *filter(None, [self.corrections.message]), *(f"Note: {each}" for each in self.notes)])

    @property
    def spreads(self) -> dict[str, float]:
        """Root mean square of the corrections of surfaces that tracks met, by kind, of those that were fitted."""
        fitted = ~np.asarray(self.corrections.fixed, dtype=np.bool_) & (self.corrections.met > 0)[:, None]
        values = self.corrections.values
        return {
            name: float(np.sqrt(np.mean(values[fitted[:, kind], kind] ** 2)))
            for kind, name in enumerate(NAMES)
            if fitted[:, kind].any()
        }

    def report(self) -> str:
        met = int((self.corrections.met > 0).sum())
        lines = [f"{self.folder / CORRECTIONS}: {met} of {len(self.corrections.met)} surfaces were met by tracks"]
        for number, each in enumerate(self.passes):
            lines += each.report(number + 1)
        if self.reference is not None:
            lines.append(self._mass())
        units = dict(zip(NAMES, UNITS, strict=True))
        spreads = ", ".join(f"{name} {size:.3g} {units[name]}".rstrip() for name, size in self.spreads.items())
        lines += [f"corrections, root mean square: {spreads}"] if spreads else []
        return "\n".join([*lines, *self._of_field(), *self._of_errors(), *self._of_modes()])

    def _mass(self) -> str:
        assert self.reference is not None
        if self.reference.pairs == 0:
            return f"mass of pairs: {self.reference.mass[0]:.5f} GeV, as given"
        low, high = self.reference.mass.min(), self.reference.mass.max()
        error = 1 / np.sqrt((1 / self.reference.error**2).sum())
        return f"mass of pairs: {low:.5f} to {high:.5f} +- {error:.5f} GeV, of {self.reference.pairs} simulated pairs"

    def _of_field(self) -> list[str]:
        field = self.corrections.field
        return [] if field is None or len(self.corrections.asked) else str(field).splitlines()

    def _of_errors(self) -> list[str]:
        return self.corrections.report().splitlines()[2:] if len(self.corrections.asked) else []

    def _of_modes(self) -> list[str]:
        modes = self.corrections.modes
        return [] if modes is None or len(self.corrections.asked) else str(modes).splitlines()

    def to_json(self) -> dict[str, Any]:
        reference = self.reference
        return {
            "folder": str(self.folder),
            "files": list(self.files),
            "status": self.status,
            "tracks": self.passes[0].tracks,
            "fitted": int(self.passes[0].status[OK]),
            "surfaces": len(self.corrections.met),
            "surfaces_met": int((self.corrections.met > 0).sum()),
            "passes": [each.to_json() for each in self.passes],
            "spreads": self.spreads,
            "mass": None if reference is None else {
                "sigma": reference.sigma.tolist(), "mass": reference.mass.tolist(), "pairs": reference.pairs,
            },
            "notes": list(self.notes),
            "text": str(self),
        }  # fmt: skip
