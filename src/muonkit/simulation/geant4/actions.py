"""What Geant4 is asked while it runs: primaries in, crossings of sensors and the fate of the primaries out."""

from typing import Any

import geant4_pybind as g4
import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.data.klm import DECAYED, INTERACTED, LEFT, STOPPED
from muonkit.simulation.geant4.world import START
from muonkit.simulation.kernels import walls
from muonkit.simulation.kernels.indices import MASS, PX, ROW_SIZE

SOFT = (11, -11, 12, -12, 14, -14, 16, -16, 22)
RADIATION = ("Decay", "muBrems", "muPairProd", "DecayWithSpin")
NEUTRINOS = (12, -12, 14, -14, 16, -16)


class Recorder(g4.G4VSensitiveDetector):  # type: ignore[misc]
    """Crossings of charged particles: event, surface, and row; and the first of the primary, or of what
    it decayed into, at the end of the tracker (can: radius and both ends in z [cm]), or the primary where it decayed,
    if it had come further than what was left: the longer part of the way is the track that is seen."""

    def __init__(self, events: int, can: tuple[float, float, float]) -> None:
        super().__init__("planes")
        self.event, self.can, self.settled = -1, walls.Can(*can), -1
        self.where: list[tuple[int, int]] = []
        self.rows: list[tuple[float, ...]] = []
        self.start = np.full((events, ROW_SIZE), np.nan)

    def ProcessHits(self, step: Any, _history: Any) -> bool:
        point = step.GetPreStepPoint()
        if point.GetCharge() == 0 or point.GetStepStatus() != g4.G4StepStatus.fGeomBoundary:
            return True
        copy = point.GetTouchable().GetCopyNumber()
        if copy == START:
            self.begin(point)
        else:
            self.where.append((self.event, copy))
            self.rows.append(state(point))
        return True

    def begin(self, point: Any) -> None:
        if self.settled == self.event:
            return
        row = self.start[self.event]
        values = state(point)
        if np.isnan(row[0]) or np.dot(values[PX:MASS], values[PX:MASS]) > np.dot(row[PX:MASS], row[PX:MASS]):
            row[:] = values

    def decayed(self, point: Any, way: float) -> None:
        """The primary decays here, having come a way [cm]."""
        values = state(point)
        p = np.linalg.norm(values[PX:MASS])
        y = np.array([*values[:PX], *(np.array(values[PX:MASS]) / p)])
        if np.isnan(self.start[self.event, 0]) and way > walls.to_can(y, self.can):
            self.start[self.event], self.settled = values, self.event


def state(point: Any) -> tuple[float, ...]:
    """The row of a crossing, see `simulation.kernels.indices`."""
    x, p = point.GetPosition(), point.GetMomentum()
    place = (x.x / g4.cm, x.y / g4.cm, x.z / g4.cm, p.x / g4.GeV, p.y / g4.GeV, p.z / g4.GeV)
    return (*place, point.GetMass() / g4.GeV, point.GetGlobalTime() / g4.ns, point.GetCharge())


class ParticleSource(g4.G4VUserPrimaryGeneratorAction):  # type: ignore[misc]
    """The primaries, one state (x, y, z [cm], p [GeV]) and PDG code per event."""

    def __init__(self, states: FloatArray, codes: AnyArray, recorder: Recorder) -> None:
        super().__init__()
        self.states, self.recorder, self.gun = states.tolist(), recorder, g4.G4ParticleGun(1)
        table = g4.G4ParticleTable.GetParticleTable()
        self.kinds = {int(code): definition(table, int(code)) for code in np.unique(codes)}
        self.codes = codes.tolist()

    def GeneratePrimaries(self, event: Any) -> None:
        self.recorder.event += 1
        x = self.states[self.recorder.event]
        self.gun.SetParticleDefinition(self.kinds[self.codes[self.recorder.event]])
        self.gun.SetParticlePosition(g4.G4ThreeVector(*(v * g4.cm for v in x[:3])))
        self.gun.SetParticleMomentum(g4.G4ThreeVector(*(v * g4.GeV for v in x[3:])))
        self.gun.GeneratePrimaryVertex(event)


def definition(table: Any, code: int) -> Any:
    """Geant4's particle with a PDG code; antideuterons are not found by code."""
    found = table.FindParticle("anti_deuteron" if code == -1000010020 else code)
    if found is None:
        raise ValueError(f"Geant4 has no particle {code}")
    return found


class Fates(g4.G4UserTrackingAction):  # type: ignore[misc]
    """fate (n,) and end (n, 3) [cm] of the primaries."""

    def __init__(self, events: int, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder
        self.fate, self.end = np.full(events, LEFT), np.zeros((events, 3))

    def PostUserTrackingAction(self, track: Any) -> None:
        if track.GetParentID() != 0:
            return
        x, step = track.GetPosition(), track.GetStep()
        self.end[self.recorder.event] = x.x / g4.cm, x.y / g4.cm, x.z / g4.cm
        process = step.GetPostStepPoint().GetProcessDefinedStep()
        name = "" if process is None else str(process.GetProcessName())
        self.fate[self.recorder.event] = fate(name, step.GetPreStepPoint().GetKineticEnergy())
        if self.fate[self.recorder.event] == DECAYED:
            self.recorder.decayed(step.GetPostStepPoint(), track.GetTrackLength() / g4.cm)


def fate(process: str, kinetic: float) -> int:
    """What a process made of a particle with that kinetic energy before the last step."""
    if process == "Transportation":
        return LEFT
    if kinetic == 0 or "AtRest" in process or process.endswith("Ioni"):
        return STOPPED
    return DECAYED if process.startswith("Decay") else INTERACTED


class Secondaries(g4.G4UserStackingAction):  # type: ignore[misc]
    """soft (n, 3) [GeV]: momentum of electrons, photons and neutrinos that the primary decayed into or radiated. What
    leaves no trace is not followed: neutrinos, and whatever has less than `least` [MeV]."""

    def __init__(self, events: int, recorder: Recorder, least: float) -> None:
        super().__init__()
        self.recorder, self.least = recorder, least
        self.soft = np.zeros((events, 3))

    def ClassifyNewTrack(self, track: Any) -> Any:
        if track.GetParentID() == 0:
            return g4.G4ClassificationOfNewTrack.fUrgent
        code = int(track.GetDefinition().GetPDGEncoding())
        if track.GetParentID() == 1 and code in SOFT:
            self.count(track)
        if code in NEUTRINOS or track.GetKineticEnergy() < self.least * g4.MeV:
            return g4.G4ClassificationOfNewTrack.fKill
        return g4.G4ClassificationOfNewTrack.fUrgent

    def count(self, track: Any) -> None:
        process = track.GetCreatorProcess()
        if process is not None and str(process.GetProcessName()) in RADIATION:
            p = track.GetMomentum()
            self.soft[self.recorder.event] += p.x / g4.GeV, p.y / g4.GeV, p.z / g4.GeV


class Actions(g4.G4VUserActionInitialization):  # type: ignore[misc]
    """All of them; kept, since Geant4 does not own what Python made."""

    def __init__(self, actions: list[Any]) -> None:
        super().__init__()
        self.actions = actions

    def Build(self) -> None:
        for action in self.actions:
            self.SetUserAction(action)
