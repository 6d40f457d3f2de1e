"""Small ROOT files with the branches of the Belle II software, as uproot can write them: jagged, one for a member."""

import awkward as ak
import numpy as np
import uproot

from muonkit.core.units import CURVATURE

FIELD = 1.5
PLACE = ("m_Subdetector", "m_Section", "m_Sector", "m_Layer")


def helix_of(position, momentum, charge, field=FIELD):
    """d0, phi0, omega, z0, tan lambda (n, 5) of states at their closest point to the axis."""
    x, y, z = position.T
    phi, pt = np.arctan2(momentum[:, 1], momentum[:, 0]), np.hypot(momentum[:, 0], momentum[:, 1])
    d0, omega = x * np.sin(phi) - y * np.cos(phi), charge * CURVATURE * field / pt
    return np.column_stack((d0, phi, omega, z, momentum[:, 2] / pt))


def meta(event, run=0, experiment=1003):
    """EventMetaData of these events (n,)."""
    n = len(event)
    values = {"m_event": np.asarray(event, np.uint32), "m_run": np.broadcast_to(run, n).astype(np.int32)}
    values |= {"m_experiment": np.broadcast_to(experiment, n).astype(np.int32)}
    return {f"EventMetaData.{name}": value for name, value in values.items()}


def tracks(helices, pdg=13, covariance=None, form="{array}.{member}"):
    """One fit for every track; helices: a list of (k, 5), one for every event; covariance (5, 5) of all."""
    covariance = np.diag([1e-4, 1e-6, 1e-10, 1e-4, 1e-6]) if covariance is None else covariance
    upper = covariance[np.triu_indices(5)]
    places = [[(-1, 0 + i, -1, -1, -1, -1) for i in range(len(one))] for one in helices]
    values = {
        ("Tracks", "m_trackFitIndices"): [np.ravel(one) for one in places],
        ("TrackFitResults", "m_tau"): [np.ravel(one) for one in helices],
        ("TrackFitResults", "m_cov5"): [np.ravel(np.tile(upper, (len(one), 1))) for one in helices],
        ("TrackFitResults", "m_pdg"): [np.full(len(one), pdg) for one in helices],
    }
    kinds = {"m_trackFitIndices": np.int16, "m_pdg": np.uint32}
    return {
        form.format(array=array, member=member): jagged(lists, kinds.get(member, np.float64))
        for (array, member), lists in values.items()
    }


def jagged(lists, kind):
    counts = [len(one) for one in lists]
    flat = np.concatenate([np.asarray(one, kind) for one in lists]) if lists else np.zeros(0, kind)
    return ak.unflatten(flat.astype(kind), counts)


def hits(klm, event, late=None):
    """KLMHit2ds of muonkit's hits, in events (n,)."""
    barrel = klm.region == 0
    late = np.zeros(len(klm), dtype=bool) if late is None else late
    first, last = np.full((len(klm), 2), 10), 9 + klm.width[:, ::-1].astype(int)
    columns = {
        "m_Subdetector": np.where(barrel, 1, 2),
        "m_Section": np.where(barrel, klm.section, klm.section + 1),
        "m_Sector": klm.sector,
        "m_Layer": klm.layer + 1,
        "m_GlobalX": klm.position[:, 0],
        "m_GlobalY": klm.position[:, 1],
        "m_GlobalZ": klm.position[:, 2],
        "m_Time": klm.time,
        "m_IsOutOfTime": late,
        "m_ChiSq": np.zeros(len(klm)),
    }
    out = {
        f"KLMHit2ds.{name}": jagged([values[klm.event == e] for e in event], values.dtype)
        for name, values in columns.items()
    }
    strips = {"m_Strip": first, "m_LastStrip": last}
    return out | {
        f"KLMHit2ds.{name}": jagged([np.ravel(values[klm.event == e]) for e in event], np.int32)
        for name, values in strips.items()
    }


def older_hits(klm, event, late=None, turned=False):
    """BKLMHit2ds and EKLMHit2ds of muonkit's hits, in events (n,); turned: the bit of the section is 0 for forward."""
    barrel, wide = klm.region == 0, klm.width.astype(int)
    late = np.zeros(len(klm), dtype=bool) if late is None else late
    module = 3 | 1 << 6 | klm.layer << 7 | (klm.sector - 1) << 11 | (klm.section ^ turned) << 14
    module |= (2 + wide[:, 0]) << 15 | late.astype(int) << 24
    inside = {"m_ModuleID": module, "m_ZStrips": 5 | (4 + wide[:, 1]) << 6, "m_Time": klm.time}
    outside = {"m_Section": klm.section + 1, "m_Sector": klm.sector, "m_Layer": klm.layer + 1, "m_Time": klm.time}
    outside |= {f"m_global{axis}": klm.position[:, i] for i, axis in enumerate("XYZ")}
    parts = (("BKLMHit2ds", barrel, inside), ("EKLMHit2ds", ~barrel, outside))
    out = {
        f"{array}.{name}": jagged([values[own & (klm.event == e)] for e in event], values.dtype)
        for array, own, columns in parts
        for name, values in columns.items()
    }
    points = [np.ravel(klm.position[barrel & (klm.event == e)]) for e in event]
    return out | {"BKLMHit2ds.m_GlobalPosition": jagged(points, np.float32)}


def relation(name, links, n):
    """A relation; links: (event, from, to, weight)."""
    rows = [[link[1:] for link in links if link[0] == e] for e in range(n)]
    parts = zip(("m_from", "m_to", "m_weights"), range(3), (np.uint32, np.uint32, np.float32), strict=True)
    return {
        f"{name}.m_elements.{part}": jagged([[row[i] for row in one] for one in rows], kind) for part, i, kind in parts
    }


RECORD = {
    "m_Outcome": "outcome",
    "m_ExtLayerPattern": "ext_layer_pattern",
    "m_HitLayerPattern": "hit_layer_pattern",
    "m_BarrelExtLayer": "barrel_ext_layer",
    "m_EndcapExtLayer": "endcap_ext_layer",
    "m_BarrelHitLayer": "barrel_hit_layer",
    "m_EndcapHitLayer": "endcap_hit_layer",
    "m_ChiSquared": "chi2",
    "m_DegreesOfFreedom": "ndof",
    "m_IsForward": "is_forward",
    "m_JunkPDFValue": "junk",
}


def records(table, array="KLMMuidLikelihoods"):
    """One record for every track, one track in every event; table: columns (n,) as identification writes them, and
    log (n, 6)."""
    n = len(table["outcome"])
    out = {f"{array}.{member}": jagged([[v] for v in table[name]], np.float32) for member, name in RECORD.items()}
    out[f"{array}.m_LogL"] = jagged(list(table["log"]), np.float64)
    return out | relation(f"TracksTo{array}", [(e, 0, 0, 1.0) for e in range(n)], n)


def particles(pdg, momentum):
    """One particle for every track, one track in every event, that leaves the detector."""
    n = len(pdg)
    columns = {name: np.zeros(n) for name in ("m_secondaryPhysicsProcess", "m_firstDaughter", "m_lastDaughter")}
    columns |= {f"m_productionVertex_{axis}": np.zeros(n) for axis in "xyz"}
    columns |= {f"m_decayVertex_{axis}": np.full(n, 500.0) for axis in "xyz"}
    columns |= {f"m_momentum_{axis}": momentum[:, i] for i, axis in enumerate("xyz")} | {"m_pdg": pdg}
    out = {f"MCParticles.{name}": jagged([[v] for v in values], np.float64) for name, values in columns.items()}
    return out | relation("TracksToMCParticles", [(e, 0, 0, 1.0) for e in range(n)], n)


def write(path, branches, tree="tree", others=()):
    """A file with a tree, and other trees that basf2 writes."""
    with uproot.recreate(path) as file:
        for name, content in [(tree, branches), *((other, {"x": np.zeros(1)}) for other in others)]:
            kinds = {key: _kind(value) for key, value in content.items()}
            file.mktree(name, kinds).extend(content)
    return path


def _kind(values):
    return f"var * {values.type.content.content}" if isinstance(values, ak.Array) else values.dtype
