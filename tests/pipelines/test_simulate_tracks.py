"""`muonkit simulate tracks`: hits and truth of particles and pairs, the same whatever the jobs; what is wrong is one
line."""

import json
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.thresholds import HIT_WIDTH, J_PSI_LINE

from muonkit.cli import main
from muonkit.core.particles import resonance
from muonkit.core.units import MUON_MASS
from muonkit.data.truth import PARENTS, TrackTruth
from muonkit.detector.detector import load_detector
from muonkit.detector.surfaces import to_local
from muonkit.io.track_hits import open_hits, open_truth, read_hits, read_truth, rows_of
from muonkit.io.track_samples import ABOUT, About, track_files
from muonkit.pipelines.simulate_tracks import simulate_track_sample
from muonkit.run.runner import runner
from muonkit.simulation.geant4 import engine
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.config import TrackPhysics
from muonkit.simulation.tracker.digitise import Readout
from muonkit.simulation.tracker.tracks import simulate_tracks

MUONS = """
[generate]
particle = "{particle}"
tracks = {n}
seed = 3
chunk_size = {chunk}
engine = "{engine}"
[gun]
pt = [3.0, 60.0]
eta = [-2.4, 2.4]
[vertex]
size = [0.001, 0.002, 3.0]
[detector]
name = "{detector}"
[readout]
efficiency = 0.9
{more}
"""
PAIRS = """
[generate]
particle = "{particle}"
events = {n}
seed = 3
chunk_size = {chunk}
{more}
"""
DEVIATIONS = 4


DEFAULTS = {"particle": "mu", "n": 300, "chunk": 100, "engine": "fast", "detector": "cms_like_tracker", "more": ""}


def simulated(folder, name="s", text=MUONS, jobs=1, **changes):
    values = DEFAULTS | changes
    (folder / f"{name}.toml").write_text(text.format(**values))
    out = folder / f"{name}.parquet"
    code = main(["simulate", "tracks", str(folder / f"{name}.toml"), "-o", str(out), "--jobs", str(jobs)])
    return code, track_files(out)


def everything(files, detector="cms_like_tracker"):
    """The hits and the truth of a sample that fits in one piece."""
    file = open_hits(files.hits, load_detector(detector).sensors)
    (piece,) = file.pieces
    return read_hits(file, piece), read_truth(open_truth(files.truth, file))


def same(one, other):
    for ours, theirs in zip(one, other, strict=True):
        first, second = pq.read_table(ours), pq.read_table(theirs)
        assert first.column_names == second.column_names
        for name in first.column_names:
            np.testing.assert_array_equal(first[name].to_numpy(), second[name].to_numpy(), name)


def test_the_sample_is_the_same_to_the_last_bit_whatever_the_jobs(tmp_path, capsys):
    one, two = simulated(tmp_path, "one"), simulated(tmp_path, "two", jobs=2)
    assert (one[0], two[0]) == (0, 0)
    assert [file.read_bytes() for file in one[1]] == [file.read_bytes() for file in two[1]]
    capsys.readouterr()


def test_tracks_of_a_gun_do_not_depend_on_the_pieces(tmp_path, capsys):
    one, other = simulated(tmp_path, "one"), simulated(tmp_path, "other", chunk=77)
    same(one[1], other[1])
    assert "300 tracks of 300 events" in capsys.readouterr().out


def test_what_is_read_is_what_was_simulated(tmp_path, capsys):
    _, files = simulated(tmp_path, more='smearing = "gaussian"')
    found, told = everything(files)
    gun = Gun(particle="mu", pt=(3.0, 60.0), eta=(-2.4, 2.4), spread=(0.001, 0.002, 3.0))
    detector = load_detector("cms_like_tracker")
    truth, hits = simulate_tracks(detector, gun, 300, 3, TrackPhysics(), Readout(efficiency=0.9))
    seen = np.diff(hits.offsets) > 0
    np.testing.assert_array_equal(found.event, np.flatnonzero(seen))
    for name in ("surface", "value", "variance"):
        np.testing.assert_allclose(getattr(found.hits, name), getattr(hits, name), rtol=1e-15)
    np.testing.assert_array_equal(told.momentum, truth.momentum)
    np.testing.assert_array_equal(told.position, truth.vertex)
    np.testing.assert_array_equal(rows_of(told, found.event, found.track), np.flatnonzero(seen))
    capsys.readouterr()


def test_hits_scatter_around_the_crossings_with_their_errors_and_the_efficiency(tmp_path, capsys):
    quiet = '[physics]\nenergy_loss = "none"\nscattering = "none"\nradiation = false'
    _, files = simulated(tmp_path, n=1000, chunk=1000, more=quiet)
    found, told = everything(files)
    detector = load_detector("cms_like_tracker")
    gun = Gun(particle="mu", pt=(3.0, 60.0), eta=(-2.4, 2.4), spread=(0.001, 0.002, 3.0))
    still = TrackPhysics(energy_loss="none", scattering="none", radiation=False)
    truth, _ = simulate_tracks(detector, gun, 1000, 3, still)
    crossed = detector.surfaces.n_measured[truth.surface] > 0
    n = crossed.sum()
    assert len(found.hits.surface) == pytest.approx(0.9 * n, abs=DEVIATIONS * np.sqrt(0.09 * n))
    many = len(detector.layers)
    of_crossing = truth.track * many + truth.surface
    order = np.argsort(of_crossing)
    of_hit = found.event[found.hits.track] * many + found.hits.surface
    at = order[np.searchsorted(of_crossing, of_hit, sorter=order)]
    local = to_local(detector.surfaces, truth.surface[at], truth.position[at])
    u = np.einsum("nj,nj->n", detector.surfaces.projection[truth.surface[at], 0], local)
    pull = (found.hits.value[:, 0] - u) / np.sqrt(found.hits.variance[:, 0])
    assert pull.std() == pytest.approx(1, abs=HIT_WIDTH)
    assert len(told) == 1000
    capsys.readouterr()


def pair_mass(truth: TrackTruth):
    E = np.hypot(np.linalg.norm(truth.momentum, axis=1), MUON_MASS).reshape(-1, 2).sum(axis=1)
    p = truth.momentum.reshape(-1, 2, 3).sum(axis=1)
    return np.sqrt(E**2 - (p**2).sum(axis=1))


def test_pairs_have_the_mass_of_their_parent_and_one_vertex(tmp_path, capsys):
    more = "radiation = false\n[vertex]\nsize = [0.1, 0.1, 3.0]"
    _, files = simulated(tmp_path, text=PAIRS, particle="jpsi", more=more)
    _, truth = everything(files)
    np.testing.assert_allclose(pair_mass(truth), truth.parent_mass[::2], rtol=1e-9)
    assert np.median(truth.parent_mass) == pytest.approx(resonance("jpsi").mass, abs=J_PSI_LINE)
    assert set(truth.parent.tolist()) == {PARENTS.index("jpsi")}
    np.testing.assert_array_equal(truth.position[::2], truth.position[1::2])
    assert truth.position[:, 2].std() == pytest.approx(3.0, rel=0.2)
    np.testing.assert_array_equal(truth.charge.reshape(-1, 2), np.tile([1, -1], (300, 1)))
    np.testing.assert_array_equal(truth.event, np.repeat(np.arange(300), 2))
    capsys.readouterr()


def test_pairs_radiate_as_in_simulate_dimuons_and_pass_the_cuts(tmp_path, capsys):
    _, files = simulated(tmp_path, text=PAIRS, particle="z", n=500, more="[selection]\nscaled_pt_min = 20")
    _, truth = everything(files)
    radiated = pair_mass(truth) < 0.99 * truth.parent_mass[::2]
    assert radiated.mean() == pytest.approx(0.17, abs=DEVIATIONS * np.sqrt(0.17 * 0.83 / 500) + 0.02)
    pt = np.hypot(*truth.momentum[:, :2].T).reshape(-1, 2).min(axis=1)
    assert np.all(pt > 20 * pair_mass(truth) / resonance("z").mass)
    capsys.readouterr()


def test_metadata_say_how_the_sample_was_made(tmp_path, capsys):
    more = '[[distort]]\nkind = "field"\nfactor = 0.999'
    _, files = simulated(tmp_path, more=more)
    detector = load_detector("cms_like_tracker")
    about = open_hits(files.hits, detector.sensors).about
    assert isinstance(about, About)
    assert (about.detector, about.checksum, about.seed) == ("cms_like_tracker", detector.checksum, 3)
    assert about.config["readout"]["efficiency"] == 0.9
    assert about.distorted not in ("", about.checksum)
    assert json.loads(pq.read_schema(files.truth).metadata[ABOUT.encode()])["distorted"] == about.distorted
    capsys.readouterr()


def test_a_distorted_detector_makes_other_hits_and_keeps_the_checksum_of_its_description(tmp_path, capsys):
    more = '[[distort]]\nkind = "misalign"\nlayers = "*"\ntranslation = [0.01, 0.0, 0.0]'
    (_, ideal), (_, moved) = simulated(tmp_path, "ideal"), simulated(tmp_path, "moved", more=more)
    one, other = everything(ideal)[0], everything(moved)[0]
    assert np.abs(one.hits.value[:50, 0] - other.hits.value[:50, 0]).max() > 1e-3
    capsys.readouterr()


def test_field_maps_of_distortions_stand_beside_the_configuration_and_are_part_of_the_checksum(tmp_path, capsys):
    more = '[[distort]]\nkind = "field"\ncorrection = { file = "map.txt" }'
    code, _ = simulated(tmp_path, n=10, more=more)
    assert code == 2
    assert "map.txt: there is no such file" in capsys.readouterr().err
    seen = []
    for factor in (1.0, 1.01):
        rows = [f"{r} {z} {factor}" for r in (0, 40, 80, 120) for z in (-300, -100, 100, 300)]
        (tmp_path / "map.txt").write_text("\n".join(rows))
        code, files = simulated(tmp_path, n=10, more=more)
        assert code == 0
        file = open_hits(files.hits, load_detector("cms_like_tracker").sensors)
        seen.append((file.about.distorted, everything(files)[0].hits.value))
    assert seen[0][0] != seen[1][0]
    assert not np.array_equal(seen[0][1], seen[1][1])
    capsys.readouterr()


def test_a_run_that_was_stopped_goes_on(tmp_path, capsys, monkeypatch):
    from muonkit.pipelines import simulate_tracks as story

    work, made = story.run_piece, []

    def stops(job, events):
        made.append(events)
        if len(made) == 3:
            raise KeyboardInterrupt
        return work(job, events)

    monkeypatch.setattr(story, "run_piece", stops)
    (tmp_path / "s.toml").write_text(MUONS.format(**DEFAULTS))
    with runner() as one, pytest.raises(KeyboardInterrupt):
        simulate_track_sample(tmp_path / "s.toml", tmp_path / "s.parquet", one)
    assert not list(tmp_path.glob("*.parquet"))
    with runner() as one:
        simulate_track_sample(tmp_path / "s.toml", tmp_path / "s.parquet", one)
    assert made == [(0, 100), (100, 100), (200, 100), (200, 100)]
    _, files = simulated(tmp_path, "whole")
    same(track_files(tmp_path / "s.parquet"), files)
    capsys.readouterr()


def test_a_detector_of_ones_own_in_which_nothing_is_hit_is_told(tmp_path, capsys):
    """The telescope looks along x: most muons miss it."""
    code, files = simulated(tmp_path, detector="telescope")
    assert code == 0
    told = capsys.readouterr().out
    assert "tracks have no hits" in told
    assert len(everything(files, "telescope")[1]) == 300


def test_a_sample_without_hits_wants_attention(tmp_path, capsys):
    code, _ = simulated(tmp_path, text=MUONS.replace("efficiency = 0.9", "efficiency = 0"))
    assert code == 1
    assert "No particle left a hit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"particle": "tau"}, "generate.particle"),
        ({"particle": "jpsy"}, "did you mean 'jpsi'?"),
        ({"n": 0}, "generate.tracks"),
        ({"text": MUONS.replace("2.4]", "2000]")}, "eta: must lie between -20 and 20"),
        ({"text": MUONS.replace("60.0]", "1e300]")}, "p and pt must lie between"),
        ({"text": MUONS.replace("3.0]", "40.0]")}, "must lie in the envelope of cms_like_tracker"),
        ({"text": MUONS.replace("3.0]", "-1.0]")}, "vertex.size.2"),
        ({"more": "window = 1e300"}, "readout.window"),
        ({"n": "[1]"}, "generate.tracks"),
        ({"particle": "jpsi"}, "generate: tracks: jpsi makes events"),
        ({"more": "[spectrum]\npt_min = 3"}, "[spectrum]: has no use for mu"),
        ({"detector": "cms"}, "there is no such file"),
        ({"more": '[[distort]]\nkind = "misalign"\nlayers = "TOC/*"'}, "no name fits 'TOC/*'"),
        ({"more": '[[distort]]\nkind = "bend"'}, "distort"),
        ({"more": "[readout.layer_efficiency]\nTOC = 0.5"}, "has no layer 'TOC'"),
        ({"more": '[physics]\nscattering = "some"'}, "physics.scattering"),
        ({"particle": "e"}, "electrons radiate"),
        ({"engine": "magic"}, "generate.engine"),
        ({"more": "[geant4]\ncut = 1"}, "[geant4]: has no use"),
        ({"engine": "geant4", "more": "[geant4]\ncut = 0"}, "geant4.cut"),
        ({"engine": "geant4", "more": '[physics]\nscattering = "none"'}, "leave out scattering"),
        ({"text": PAIRS, "particle": "mu"}, "events: mu makes tracks"),
        ({"text": PAIRS, "particle": "jpsi", "more": "[gun]\npt = 3\neta = 0"}, "[gun]: has no use for jpsi"),
        ({"text": PAIRS, "particle": "jpsi", "more": "sqrt_s = 13"}, "sqrt_s"),
        ({"text": PAIRS, "particle": "jpsi", "more": "[selection]\nscaled_pt_min = 1e6"}, "pairs pass; widen it"),
        ({"text": MUONS.replace("[gun]", "[gun]\nparticle = 'pi'")}, "gun: give particle as generate.particle"),
        ({"text": MUONS.replace("[gun]", "[gun]\nvertex = [0, 0, 1]")}, "gun: give vertex as vertex.position"),
        ({"text": MUONS.partition("[gun]")[0]}, "gun: is missing"),
    ],
)
def test_faults_of_the_configuration_are_one_line_each(tmp_path, capsys, changes, fault):
    code, _ = simulated(tmp_path, **changes)
    assert code == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert any(fault in line for line in error), error
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".toml"]


def test_geant4_without_data_says_what_to_do(tmp_path, capsys, monkeypatch):
    for name in (*engine.SETS, engine.WHOLE):
        monkeypatch.delenv(name, raising=False)
    code, _ = simulated(tmp_path, engine="geant4")
    assert code == 2
    error = capsys.readouterr().err
    assert "geant4 is not installed" in error if find_spec("geant4_pybind") is None else "Geant4 has no data" in error


@pytest.mark.slow
@pytest.mark.skipif(find_spec("geant4_pybind") is None, reason="geant4_pybind is not installed")
def test_geant4_writes_the_same_tables_whatever_the_jobs_and_says_what_its_data_are(tmp_path, capsys):
    from tests.oracles.geant4_iron import MissingError, environment

    try:
        _, what = environment(tmp_path / "data")
    except MissingError as error:
        pytest.skip(str(error))
    changes = {"engine": "geant4", "n": 60, "chunk": 30, "more": f'[geant4]\ndata = "{tmp_path / "data"}"'}
    one, two = simulated(tmp_path, "one", **changes), simulated(tmp_path, "two", jobs=2, **changes)
    assert (one[0], two[0]) == (0, 0)
    assert [file.read_bytes() for file in one[1]] == [file.read_bytes() for file in two[1]]
    found, truth = everything(one[1])
    assert len(truth) == 60
    assert np.median(np.diff(found.hits.offsets)) >= 12
    about = open_hits(one[1].hits, load_detector("cms_like_tracker").sensors).about
    assert about.engine == "geant4"
    assert ("stand-in" in about.data) == ("stand-in" in what)
    capsys.readouterr()


@pytest.mark.parametrize("name", ["s.root", "s.csv", "s"])
def test_only_parquet_is_written(tmp_path, capsys, name):
    (tmp_path / "s.toml").write_text(MUONS.format(**DEFAULTS))
    assert main(["simulate", "tracks", str(tmp_path / "s.toml"), "-o", str(tmp_path / name)]) == 2
    assert "tracks are written as Parquet" in capsys.readouterr().err


@pytest.mark.parametrize("example", sorted(Path("examples/tracks").glob("*.toml")), ids=lambda path: path.stem)
def test_examples_run(tmp_path, capsys, example):
    text = example.read_text().replace("100_000", "100").replace("50_000", "50")
    (tmp_path / "e.toml").write_text(text)
    assert main(["simulate", "tracks", str(tmp_path / "e.toml"), "-o", str(tmp_path / "e.parquet")]) == 0
    found, truth = everything(track_files(tmp_path / "e.parquet"))
    assert len(truth) == 100
    assert np.median(np.diff(found.hits.offsets)) >= 12
    assert all(first <= second for first, second in pairwise(found.event.tolist()))
    capsys.readouterr()
