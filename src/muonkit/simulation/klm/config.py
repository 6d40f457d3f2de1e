"""`muonkit simulate klm`: its configuration."""

from typing import Literal

from pydantic import Field

from muonkit.conditions.choice import StoreChoice
from muonkit.core.config import MOST_EVENTS, Section, Seed
from muonkit.simulation.gun import Gun
from muonkit.simulation.klm.readout import KLMReadout
from muonkit.simulation.klm.start import Tracker


class GenerateKLM(Section):
    """One primary per event; chunk_size decides how the work is cut, for Geant4 also the random numbers."""

    events: int = Field(ge=1, le=MOST_EVENTS)
    seed: Seed = 1
    engine: Literal["fast", "geant4"] = "fast"
    chunk_size: int = Field(5000, ge=1)


class Geant4Choice(Section):
    """data: folder with a directory for each of Geant4's data sets, if the environment does not name them; step [mm]:
    longest in matter; cut [mm]: range of the production cuts; least [MeV]: kinetic energy below which secondaries are
    dropped, and neutrons [MeV]."""

    data: str | None = None
    step: float = Field(10.0, gt=0)
    cut: float = Field(10.0, gt=0)
    least: float = Field(1.0, ge=0)
    neutrons: float = Field(5.0, ge=0)


class RunChoice(StoreChoice):
    """The run whose dead strips and efficiencies are simulated."""

    experiment: int = Field(0, ge=0)
    run: int = Field(0, ge=0)


class SimulateKLM(Section):
    """`muonkit simulate klm`: all of its configuration."""

    generate: GenerateKLM
    gun: Gun
    detector: str = "belle2"
    tracker: Tracker = Tracker()
    readout: KLMReadout = KLMReadout()
    conditions: RunChoice | None = None
    geant4: Geant4Choice = Geant4Choice()
