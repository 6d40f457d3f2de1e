"""NanoAOD-like files of a few events."""

from pathlib import Path

import awkward as ak
import numpy as np
import uproot

EVENTS = {
    "run": np.array([1, 1, 1, 2], dtype=np.uint32),
    "luminosityBlock": np.array([5, 5, 6, 7], dtype=np.uint32),
    "event": np.array([10, 11, 12, 2**40], dtype=np.uint64),
    "genWeight": np.array([1.5, 1.0, 1.0, -2.0], dtype=np.float32),
}
MUONS = {
    "Muon_pt": [[9.0, 8.0, 7.0], [], [20.0], [5.0, 6.0, 4.0, 3.0]],
    "Muon_eta": [[0.1, 0.2, 0.3], [], [1.0], [-1.0, -2.0, 0.0, 1.0]],
    "Muon_phi": [[1.0, -1.0, 3.1], [], [0.0], [0.1, 0.2, 0.3, 0.4]],
}
CHARGES = [[1, -1, -1], [], [1], [1, 1, -1, -1]]
# event 0: the third muon sits across phi = pi from its particle; a kaon lies on the first one
PARTICLES = {
    "GenPart_pt": [[9.1, 8.1, 7.1, 9.0], [], [], [5.1, 6.1, 4.1, 3.1]],
    "GenPart_eta": [[0.1, 0.2, 0.3, 0.1], [], [], [-1.0, -2.0, 0.0, 1.0]],
    "GenPart_phi": [[1.01, -1.01, -3.16, 1.0], [], [], [0.1, 0.2, 0.3, 0.6]],
}
NUMBERS = {
    "GenPart_pdgId": [[-13, 13, 13, 321], [], [], [-13, -13, 13, 13]],
    "GenPart_status": [[1, 1, 1, 1], [], [], [1, 2, 1, 1]],
}
INDEX = [[0, 1, -1], [], [-1], [0, 1, 2, 7]]


def content(index: bool = False) -> dict[str, ak.Array]:
    """All branches; `index`: with Muon_genPartIdx."""
    lists = {name: ak.values_astype(ak.Array(values), np.float32) for name, values in (MUONS | PARTICLES).items()}
    whole = {**NUMBERS, "Muon_charge": CHARGES, **({"Muon_genPartIdx": INDEX} if index else {})}
    lists |= {name: ak.values_astype(ak.Array(values), np.int32) for name, values in whole.items()}
    lists["Muon_tightId"] = lists["Muon_pt"] > 5
    return {**{name: ak.Array(values) for name, values in EVENTS.items()}, **lists}


def write(path: Path, branches: dict[str, ak.Array], kind: str = "TTree") -> Path:
    types = {name: array.type.content for name, array in branches.items()}
    with uproot.recreate(path) as file:
        if kind == "RNTuple":
            file.mkrntuple("Events", types).extend(branches)
        else:
            tree = file.mktree("Events", types, counter_name=lambda name: "n" + name.split("_")[0])
            tree.extend(branches)
            file.mktree("Runs", {"genEventCount": "int64"}).extend({"genEventCount": np.array([4])})
            file["note"] = "made for a test"
    return path
