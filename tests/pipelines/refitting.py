"""Tables of hits and truth, as tests of `muonkit refit` and of its audit make them."""

import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from muonkit.detector.detector import load_detector
from muonkit.io.track_samples import ABOUT, About
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks

EVENTS = 60
DETECTOR = "cms_like_layers"


def sample(events=EVENTS):
    """Columns of hits and truth: a positive and a negative muon per event."""
    detector, physics = load_detector(DETECTOR), Physics(energy_loss="gaussian")
    hits, truth = {name: [] for name in ("event", "track", "module", "u", "v", "sigma_u", "sigma_v")}, []
    for number, name in enumerate(("mu+", "mu-")):
        gun = Gun(particle=name, pt=(3, 30), eta=(-2, 2))
        true, found = simulate_tracks(detector, gun, events, 5 + number, physics)
        value, sigma = found.value.copy(), np.sqrt(found.variance)
        value[sigma == 0], sigma[sigma == 0] = np.nan, np.nan
        hits["event"].append(found.track)
        hits["track"].append(np.full(len(found.track), number))
        hits["module"].append(np.array(detector.layers)[found.surface])
        for key, column in zip(("u", "v", "sigma_u", "sigma_v"), (*value.T, *sigma.T), strict=True):
            hits[key].append(column)
        names = np.arange(events), np.full(events, number), true.charge
        truth.append(np.column_stack((*names, true.vertex, true.momentum)))
    columns = {name: np.concatenate(parts) for name, parts in hits.items()}
    order = np.lexsort((np.arange(len(columns["event"])), columns["track"], columns["event"]))
    rows = np.concatenate(truth)
    true = {"event": rows[:, 0].astype(int), "track": rows[:, 1].astype(int), "charge": rows[:, 2].astype(int)}
    true |= dict(zip(("x", "y", "z", "px", "py", "pz"), rows[:, 3:].T, strict=True))
    true |= {name: np.full(len(rows), word) for name, word in (("parent", "gun"), ("species", "mu"), ("end", "left"))}
    true["parent_mass"] = np.full(len(rows), np.nan)
    return {name: column[order] for name, column in columns.items()}, true


def write_hits(path, hits, detector=DETECTOR, name="a.hits.parquet"):
    table = pa.table(hits)
    words = table["module"].combine_chunks().dictionary_encode()
    table = table.set_column(table.schema.get_field_index("module"), "module", words)
    checksum = load_detector(detector).checksum
    about = About(detector, checksum, checksum, engine="fast", seed=5, version="0")
    pq.write_table(table.replace_schema_metadata({ABOUT: json.dumps(asdict(about))}), path / name)
