"""One hypothesis at a time: P_L, P_T and their product for a table of tracks, as Belle II's MuidBuilder gives them."""

from dataclasses import dataclass, replace

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.data.muid import MuidTracks
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.factors import log_chi2, log_pattern
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, POSITIVE, from_pdg
from muonkit.muid.likelihood.payload import LikelihoodParameters


@dataclass(frozen=True)
class MuidBuilder:
    """The densities of the signed hypothesis with PDG code `pdg` (13: mu-), whatever the charge of the tracks.

    Raises InputError for a code that is none of the six species."""

    pdg: int
    payload: LikelihoodParameters
    settings: LikelihoodSettings = LikelihoodSettings()

    def __post_init__(self) -> None:
        from_pdg(self.pdg)

    def longitudinal(self, tracks: MuidTracks) -> FloatArray:
        """P_L (n,), the probability of the pattern of hits."""
        return np.exp(log_pattern(self._own(tracks), self.payload, self.settings)[:, self._column])

    def transverse(self, tracks: MuidTracks) -> FloatArray:
        """P_T (n,), the density of the reduced chi2."""
        return np.exp(log_chi2(self._own(tracks), self.payload, self.settings)[:, self._column])

    def pdf(self, tracks: MuidTracks) -> FloatArray:
        """P_L P_T (n,)."""
        return self.longitudinal(tracks) * self.transverse(tracks)

    @property
    def _column(self) -> int:
        number = from_pdg(self.pdg) & ~1
        return HYPOTHESES.index(next(name for name, first in POSITIVE.items() if first == number))

    def _own(self, tracks: MuidTracks) -> MuidTracks:
        """The tracks with the charge of the hypothesis."""
        charge = -1.0 if from_pdg(self.pdg) & 1 else 1.0
        return replace(tracks, charge=np.full(len(tracks), charge))
