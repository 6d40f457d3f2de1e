"""Tables as `identify` writes them and their truth, of tracks drawn from a payload."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from muonkit.core.particles import species
from muonkit.data.klm import DECAYED, LEFT, KLMTruth
from muonkit.io.klm import truth_table
from muonkit.muid.checks.sampling import sample
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.identify import COMPUTED, masked
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.evaluate import likelihood
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, LEPTONS
from muonkit.transport import status

TOY = toy_payload()


def truth(n, rng, names=("mu", "pi")):
    """True tracks, p 0.3 to 5 GeV, theta 10 to 160 deg, flat; two in ten pions and kaons decay."""
    number = np.array([HYPOTHESES.index(name) for name in names])[rng.integers(0, len(names), n)]
    charge = np.where(rng.random(n) < 0.5, 1, -1)
    codes = np.array([abs(species(name).pdg_id) * (-1 if name in LEPTONS else 1) for name in HYPOTHESES])
    p, theta, phi = rng.uniform(0.3, 5, n), np.radians(rng.uniform(10, 160, n)), rng.uniform(-np.pi, np.pi, n)
    direction = np.column_stack((np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)))
    hadron = np.isin(number, [HYPOTHESES.index(name) for name in ("pi", "K")])
    fate = np.where(hadron & (rng.random(n) < 0.2), DECAYED, LEFT)
    zero, event = np.zeros((n, 3)), np.arange(n) // 3
    return KLMTruth(
        event, np.arange(n) % 3, codes[number] * charge, zero, p[:, None] * direction, fate, zero, zero[:, 0]
    )


def identified(true, rng, payload=TOY, settings=LikelihoodSettings(), unreached=0.05, lost=0.02):
    """The table of these tracks, of which some did not reach the muon detector and some were not started."""
    number = np.argmax(np.abs(true.pdg_id)[:, None] == [abs(species(h).pdg_id) for h in HYPOTHESES], axis=1)
    lepton = np.isin(number, [HYPOTHESES.index(name) for name in LEPTONS])
    charge = np.where((true.pdg_id > 0) != lepton, 1.0, -1.0)
    tracks = sample(payload, number, charge, rng)
    out = rng.random(len(number)) < unreached
    for name in COMPUTED:
        getattr(tracks, name)[out] = -1 if name.endswith("_layer") else 0
    tracks.status[rng.random(len(number)) < lost] = status.NOT_POSITIVE_DEFINITE
    found = likelihood(tracks, payload, settings)
    table = {"event": true.event, "track": true.track, "status": tracks.status}
    table |= {name: getattr(tracks, name) for name in COMPUTED} | {"junk": found.junk}
    table |= {f"logL_{name}": found.log_pdf[:, i] for i, name in enumerate(HYPOTHESES)}
    table |= {f"p_{name}": found.probability[:, i] for i, name in enumerate(HYPOTHESES)}
    return masked(table | {"shared_hits": tracks.ndof * 0, "efficiency_missing": ~np.isfinite(tracks.chi2)})


def write_sample(folder, name, n, seed, names=("mu", "pi"), **how):
    """NAME.identified.parquet and NAME.truth.parquet."""
    rng = np.random.default_rng(seed)
    true = truth(n, rng, names)
    table = identified(true, rng, **how)
    pq.write_table(pa.table({k: pa.array(v) for k, v in table.items()}), folder / f"{name}.identified.parquet")
    pq.write_table(pa.table(truth_table(true)), folder / f"{name}.truth.parquet")
    return true, table
