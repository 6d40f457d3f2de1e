"""Files of the Belle II software as tables: members, relations, truth, records of Muid."""

import awkward as ak
import numpy as np
import pytest
import uproot
from tests.conftest import shared_data
from tests.io import basf2_files as basf2
from tests.muid.samples import muons

from muonkit.core.errors import InputError
from muonkit.data.klm import DECAYED, INTERACTED, LEFT, STOPPED
from muonkit.io.basf2.tables import open_records, open_table, read_helices
from muonkit.io.basf2.tree import split
from muonkit.io.basf2.truth import MEMBERS, fates
from muonkit.io.klm import read_columns, read_truth

SPECIES = ("e", "mu", "pi", "K", "p", "d")
FIELD = 1.4525  # T: of Belle II at the origin, weakened by the final focus
HELIX = np.array([[0.1, 0.2, 0.004, 1.0, 0.3]])


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("Tracks/Tracks.m_trackFitIndices[6]", ("Tracks", "m_trackFitIndices")),
        ("Tracks.m_trackFitIndices", ("Tracks", "m_trackFitIndices")),
        ("Tracks_m_trackFitIndices", ("Tracks", "m_trackFitIndices")),
        ("PIDLikelihoods/PIDLikelihoods.m_logl[6][6]", ("PIDLikelihoods", "m_logl")),
        ("TracksToMuids/m_elements/m_elements.m_from", ("TracksToMuids", "m_from")),
        ("MCParticles/MCParticles.m_momentum_x", ("MCParticles", "m_momentum_x")),
        ("Muids/Muids.m_LogL_mu", ("Muids", "m_LogL_mu")),
        ("EventMetaData/m_event", ("EventMetaData", "m_event")),
        ("EventMetaData/TObject/fBits", None),
        ("m_event", None),
        ("nTracks", None),
    ],
)
def test_members_are_found_whichever_way_they_are_nested(key, named):
    assert split(key) == named


def table(n, **more):
    whole = dict.fromkeys(
        ("barrel_ext_layer", "barrel_hit_layer", "ext_layer_pattern", "hit_layer_pattern"), np.arange(n)
    )
    zero = dict.fromkeys(("chi2", "ndof", "is_forward", "junk"), np.zeros(n))
    log = -np.arange(6.0) - np.arange(n)[:, None]
    columns = {"outcome": np.ones(n), "endcap_ext_layer": np.full(n, -1), "endcap_hit_layer": np.full(n, -1)}
    return columns | whole | zero | {"log": log} | more


def written(path, n, **more):
    content = basf2.meta(np.arange(n)) | basf2.tracks([HELIX] * n, 211) | more
    return basf2.write(path / "file.root", content)


def rows_of(path, event, content):
    table = open_table(basf2.write(path, basf2.meta(event) | content), "hits")
    found = {name: read_columns(table, 0, table.rows, (name,))[name] for name in ("event", *table.source.names)}
    order = np.lexsort((found["x"], found["layer"], found["region"], found["event"]))
    return table, {name: values[order] for name, values in found.items()}


@pytest.mark.parametrize("turned", [False, True])
def test_hits_of_an_older_release_are_the_same_rows(tmp_path, turned):
    candidates, hits, _ = muons(40)
    event, late = candidates.event, (hits.region == 0) & (np.arange(len(hits)) % 7 == 0)
    newer, wanted = rows_of(tmp_path / "n.root", event, basf2.hits(hits, event, late))
    older, found = rows_of(tmp_path / "o.root", event, basf2.older_hits(hits, event, late, turned))
    assert newer.source.left_out == older.source.left_out == late.sum() > 0
    assert set(found["region"]) == {0, 1}
    for name in ("event", "region", "section", "sector", "layer", "x", "y", "z", "t"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-6, err_msg=name)
    inside = found["region"] == 0
    for name in ("width_phi", "width_z"):
        np.testing.assert_array_equal(found[name][inside], wanted[name][inside])
        assert np.all(found[name][~inside] == 1)


def test_records_have_the_numbers_that_were_written(tmp_path):
    wanted = table(4)
    records = open_table(written(tmp_path, 4, **basf2.records(wanted)), "records")
    found = read_columns(records, 0, 4)
    for name in ("outcome", "barrel_ext_layer", "hit_layer_pattern", "endcap_hit_layer"):
        np.testing.assert_array_equal(found[name], wanted[name])
    for i, name in enumerate(SPECIES):
        np.testing.assert_array_equal(found[f"logL_{name}"], wanted["log"][:, i])
    p = np.exp(wanted["log"] - wanted["log"].max(axis=1, keepdims=True))
    np.testing.assert_allclose(found["p_mu"], p[:, 1] / p.sum(axis=1))


def test_what_muid_did_not_compute_is_no_number(tmp_path):
    wanted = table(3, outcome=np.array([0.0, 1, 1]), junk=np.array([0.0, 1, 0]))
    wanted["log"][:2] = -1e20
    wanted["log"][2, 0] = -1e20
    found = read_columns(open_table(written(tmp_path, 3, **basf2.records(wanted)), "records"), 0, 3)
    assert np.isnan(found["logL_mu"]).tolist() == [True, True, False]
    assert found["logL_e"][2] == -np.inf
    assert found["p_e"][2] == 0
    np.testing.assert_array_equal(found["junk"], [np.nan, 1, 0])


def test_a_track_without_a_record_has_no_numbers(tmp_path):
    content = basf2.records(table(2)) | basf2.relation("TracksToKLMMuidLikelihoods", [(1, 0, 0, 1.0)], 2)
    found = read_columns(open_table(written(tmp_path, 2, **content), "records"), 0, 2)
    assert np.isnan(found["outcome"]).tolist() == [True, False]


def test_a_relation_to_nowhere_is_refused(tmp_path):
    content = basf2.records(table(2)) | basf2.relation("TracksToKLMMuidLikelihoods", [(1, 0, 5, 1.0)], 2)
    records = open_table(written(tmp_path, 2, **content), "records")
    with pytest.raises(InputError, match="1 relations lead to nowhere"):
        read_columns(records, 0, 2)


def test_the_heaviest_relation_says_which_particle_a_track_is(tmp_path):
    n = 2
    particles = basf2.particles(np.array([13, 211]), np.ones((n, 3)))
    both = {
        name: ak.concatenate((values, values), axis=1) if name.startswith("MCParticles") else values
        for name, values in particles.items()
    }
    both["MCParticles.m_pdg"] = basf2.jagged([[13, -13], [211, -211]], np.float64)
    links = [(0, 0, 0, 0.2), (0, 0, 1, 0.7), (1, 0, 0, 0.9), (1, 0, 1, 0.1)]
    path = written(tmp_path, n, **both | basf2.relation("TracksToMCParticles", links, n))
    assert read_truth(open_table(path, "truth"), 0, n).pdg_id.tolist() == [-13, 211]


def test_records_in_an_rntuple_and_lists_of_targets_are_read(tmp_path):
    """As a real file has them: a relation holds a list of targets with their weights."""
    fit = {"m_tau": HELIX[0].tolist(), "m_cov5": [1e-6] * 15, "m_pdg": 13}
    links = [{"m_from": 0, "m_to": [0, 1], "m_weights": [0.2, 0.7]}, {"m_from": 1, "m_to": [], "m_weights": []}]
    particle = dict.fromkeys(MEMBERS, 0)
    event = {
        "EventMetaData": {"m_event": 1, "m_run": 2, "m_experiment": 3},
        "Tracks": [{"m_trackFitIndices": [-1, 0, -1, -1, -1, -1]}] * 2,
        "TrackFitResults": [fit],
        "MCParticles": [particle | {"m_pdg": 211}, particle | {"m_pdg": 13}],
        "TracksToMCParticles": {"m_elements": links},
    }
    with uproot.recreate(tmp_path / "records.root") as file:
        file["tree"] = {name: ak.Array([one]) for name, one in event.items()}
    tracks, truth = (open_table(tmp_path / "records.root", what) for what in ("tracks", "truth"))
    np.testing.assert_array_equal(read_helices(tracks, 0, 1).parameters, HELIX)
    assert read_truth(truth, 0, 2).pdg_id.tolist() == [13, 0]
    assert read_columns(tracks, 0, 1, ("experiment", "run", "event"))["experiment"].tolist() == [3]


def test_a_track_without_a_particle_is_of_no_species(tmp_path):
    content = basf2.particles(np.array([13, 211]), np.ones((2, 3)))
    content |= basf2.relation("TracksToMCParticles", [(1, 0, 0, 1.0)], 2)
    truth = read_truth(open_table(written(tmp_path, 2, **content), "truth"), 0, 2)
    assert truth.pdg_id.tolist() == [0, 211]
    assert np.isnan(truth.momentum[0]).all()


def test_daughters_say_how_a_particle_ended():
    """A pion decays to muon and neutrino, a kaon interacts and makes a proton, a muon stops, another one leaves."""
    values = {
        "m_pdg": np.array([211, -13, 14, 321, 2212, 13, 13]),
        "m_secondaryPhysicsProcess": np.array([0, 201, 201, 0, 121, 0, 0]),
        "m_firstDaughter": np.array([2, 0, 0, 5, 0, 0, 0]),
        "m_lastDaughter": np.array([3, 0, 0, 5, 0, 0, 0]),
        "m_decayVertex_x": np.array([0.0, 0, 0, 0, 0, 300, 400]),
        "m_decayVertex_y": np.zeros(7),
        "m_decayVertex_z": np.full(7, 47.0),
    }
    fate, soft = fates(values, np.array([7]), np.array([1, 0.7, 0.3, 1, 0.5, 1, 1]))
    assert fate[[0, 3, 5, 6]].tolist() == [DECAYED, INTERACTED, STOPPED, LEFT]
    assert soft[0] == 0.3


def test_the_fit_of_the_muon_is_taken_where_there_is_one(tmp_path):
    content = basf2.tracks([np.concatenate((HELIX, 2 * HELIX))] * 2)
    content["TrackFitResults.m_pdg"] = basf2.jagged([[211, 13], [321, 211]], np.uint32)
    content["Tracks.m_trackFitIndices"] = basf2.jagged([[-1, 1, 0, -1, -1, -1], [-1, -1, 1, 0, -1, -1]], np.int16)
    path = basf2.write(tmp_path / "two.root", basf2.meta([1, 2]) | content)
    helices = read_helices(open_table(path, "tracks"), 0, 2)
    assert helices.hypothesis.tolist() == [13, 211]
    np.testing.assert_array_equal(helices.parameters, np.tile(2 * HELIX, (2, 1)))


def test_a_file_that_says_to_unpack_to_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("muonkit.io.basf2.tree.EXPANDED", 0)
    with pytest.raises(InputError, match="unpacks"):
        open_table(written(tmp_path, 3), "tracks")


def test_the_four_records_of_an_older_release_are_read():
    tracks = open_table(shared_data("belle2/mdst_with_muid.root"), "tracks")
    records = open_records(tracks)
    found = read_columns(records, 0, 4)
    assert found["outcome"].tolist() == [3, 18, 5, 5]
    assert found["ndof"].tolist() == [30, 14, 18, 14]
    assert found["ext_layer_pattern"].tolist() == [32767, 4082, 33521664, 33423360]
    np.testing.assert_allclose(found["logL_mu"], [-1.1481, -6.5805, -1.0719, -3.7442], atol=1e-4)
    np.testing.assert_allclose(found["logL_pi"], [-42.2119, -24.7497, -29.8146, -27.5229], atol=1e-4)
    # the release stored densities over their sum
    np.testing.assert_allclose(found["p_pi"], [1.46638e-18, 1.28587e-8, 3.28998e-13, 4.7103e-11], rtol=1e-4)
    assert read_truth(open_table(tracks.path, "truth"), 0, 4).pdg_id.tolist() == [13, -13, -13, 13]


def test_helices_of_a_real_file_have_the_momenta_of_their_particles():
    from muonkit.muid.swim.carry import points

    tracks, truth = (open_table(shared_data("belle2/mdst.root"), what) for what in ("tracks", "truth"))
    helices, true = read_helices(tracks, 0, tracks.rows), read_truth(truth, 0, truth.rows)
    assert np.all(np.linalg.eigvalsh(helices.covariance) > -1e-9)
    pion = np.abs(true.pdg_id) == 211
    _, p = points(helices.parameters[pion], np.full(pion.sum(), FIELD))
    cosine = np.einsum("ni,ni->n", p, true.momentum[pion])
    cosine /= np.linalg.norm(p, axis=1) * np.linalg.norm(true.momentum[pion], axis=1)
    assert np.median(cosine) > 0.999
    ratio = np.linalg.norm(p, axis=1) / np.linalg.norm(true.momentum[pion], axis=1)
    assert np.median(ratio) == pytest.approx(1, abs=0.002)
    same = np.sign(helices.parameters[pion, 2]) == np.sign(true.pdg_id[pion])
    assert same.mean() > 0.94  # the others are the way back of curlers
