"""`muonkit conditions draw`: a readout as in real life, as payloads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.config import load
from muonkit.core.files import check_outputs, write_text
from muonkit.core.result import Result
from muonkit.detector.strips import strips_of
from muonkit.pipelines.pieces import detector_of
from muonkit.simulation.klm.channel_draw import ChannelDraw, draw_channels

FILES = "KLMChannelStatus.json", "KLMStripEfficiency.json"
WEAK = 0.9  # both planes together


@dataclass(frozen=True, slots=True)
class ChannelsDrawn(Result):
    """The two payloads; numbers of modules, of those below WEAK, of strips, of dead strips; mean efficiency of the
    modules."""

    files: tuple[Path, ...]
    modules: int
    weak: int
    strips: int
    dead: int
    mean: float

    def report(self) -> str:
        """Shares of what does not work well, and the files."""
        return (
            f"{self.modules} modules, mean efficiency {self.mean:.3f}, {self.weak} ({self.weak / self.modules:.1%}) "
            f"below {WEAK}; {self.dead} of {self.strips} strips ({self.dead / self.strips:.2%}) are dead\n"
            f"payloads: {', '.join(map(str, self.files))}"
        )

    def to_json(self) -> dict[str, Any]:
        """Numbers, files, and the text."""
        numbers = {name: getattr(self, name) for name in ("modules", "weak", "strips", "dead", "mean")}
        return {"files": [str(file) for file in self.files], **numbers, "text": str(self)}


def draw(config_path: Path, out: Path) -> ChannelsDrawn:
    """Write KLMChannelStatus.json and KLMStripEfficiency.json to the folder `out`. Raises InputError for a
    configuration that cannot be used."""
    config = load(config_path, ChannelDraw)
    chosen = detector_of(config.detector, config_path.parent)
    files = tuple(out / name for name in FILES)
    check_outputs(files, (config_path, *chosen.files))
    status, efficiency = draw_channels(chosen.detector, config)
    for file, payload in zip(files, (status, efficiency), strict=True):
        write_text(file, payload.model_dump_json(by_alias=True, indent=1) + "\n")
    both = np.array([module.planes for module in efficiency.modules]).prod(axis=1)
    muon = chosen.detector.surfaces.n_measured > 0
    strips = int(strips_of(chosen.detector, config.first_rpc_layer).number[muon].sum())
    dead = sum(len(one.strips) for one in status.dead)
    return ChannelsDrawn(files, len(both), int(np.sum(both < WEAK)), strips, dead, float(both.mean()))
