"""`muonkit pdfs build`: its configuration."""

from pydantic import Field

from muonkit.core.config import Range, Section
from muonkit.muid.swim.config import MuidSettings, TrackerCan
from muonkit.muid.tracker_decays import TrackerDecays


class BuildInput(Section):
    """Samples of `muonkit simulate klm`, files or globs; tracks per chunk."""

    samples: tuple[str, ...] = Field(min_length=1)
    chunk_size: int = Field(20_000, ge=1)


class BuildSelection(Section):
    """max_soft [GeV]: of muons, momentum of electrons, photons and neutrinos that they decayed into or radiated; cracks
    [deg]: true polar angles that are left out; chimney_theta, chimney_phi [deg]: both left out together; ndof below
    max_ndof; tracker_decays: `drop` leaves out primaries that decayed inside of the tracker."""

    max_soft: float = Field(0.05, ge=0)
    cracks: tuple[Range, ...] = ((31.5, 33.1), (126.9, 128.4))
    chimney_theta: Range = (110.0, 125.0)
    chimney_phi: Range = (60.0, 120.0)
    max_ndof: int = Field(40, ge=2)
    # younger than the payloads that quote this section: quoted only where they differ from the defaults
    tracker_decays: TrackerDecays = Field("keep", exclude_if=lambda value: value == "keep")
    tracker: TrackerCan = Field(TrackerCan(), exclude_if=lambda value: value == TrackerCan())


class LongitudinalFit(Section):
    """pseudo: tracks that the profile of the whole outcome counts for beside those of a class; sigmas: within so many
    the fitted profile replaces the counted one; least: fewer hits are replaced as well; overlap: tracks that the
    profile of a group of overlaps counts for, and overlap_hits: hits that its scale counts for; caps of predictions for
    overlaps, muons and others."""

    pseudo: float = Field(1.0, gt=0)
    sigmas: float = Field(3.0, gt=0)
    least: int = Field(2, ge=0)
    overlap: float = Field(30.0, gt=0)
    overlap_hits: float = Field(10.0, gt=0)
    muon_cap: float = Field(0.95, gt=0, lt=1)
    other_cap: float = Field(2 / 3, gt=0, lt=1)


class ChainFit(Section):
    """Weights, in tracks, of what a table leans on: of the mean of a region in that of a layer, of a layer in that with
    the layer before, of this in that with the two layers before, of this in a class of its own; own: of a hypothesis
    that behaves as its species; sample: tracks of a chunk to which the shares of behaviours are fitted, in `rounds`
    rounds."""

    region: float = Field(5.0, gt=0)
    layer: float = Field(40.0, gt=0)
    context: float = Field(40.0, gt=0)
    group: float = Field(80.0, gt=0)
    own: float = Field(20.0, gt=0)
    sample: int = Field(2000, ge=1)
    rounds: int = Field(60, ge=1)


class TransverseFit(Section):
    """entries: fewer take scale_x from the nearest k that has them; enough: fewer have no histogram, only the gamma
    density; pseudo: tracks that the gamma density counts for beside the histogram; peak_share: the tail begins where
    the histogram falls below that share of its maximum."""

    entries: int = Field(50, ge=1)
    enough: int = Field(500, ge=1)
    pseudo: float = Field(50.0, gt=0)
    peak_share: float = Field(0.1, gt=0, lt=1)


class BuildPdfs(Section):
    """`muonkit pdfs build`: all of its configuration."""

    input: BuildInput
    detector: str = "belle2"
    muid: MuidSettings = MuidSettings()
    selection: BuildSelection = BuildSelection()
    longitudinal: LongitudinalFit = LongitudinalFit()
    transverse: TransverseFit = TransverseFit()
    chain: ChainFit = ChainFit()
