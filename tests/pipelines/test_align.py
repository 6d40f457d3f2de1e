"""From a table of hits to corrections of a detector: what was distorted is found; pieces, processes, bad input."""

import json
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest

from muonkit.alignment.files import read_corrections
from muonkit.alignment.mille import read_mille
from muonkit.cli import main
from muonkit.detector.detector import load_detector
from muonkit.pipelines import align as pipeline
from muonkit.pipelines.align_piece import chunks, first_events

DETECTOR, PIXEL, MOVED, FIELD = "cms_like_layers", "PXB/2", 0.01, 0.998
SIMULATE = f"""
[generate]
particle = "jpsi"
events = 700
seed = {{seed}}
[spectrum]
pt_min = 8.0
[selection]
eta_max = 1.4
scaled_pt_min = 4.0
[detector]
name = "{DETECTOR}"
[vertex]
size = [0.001, 0.001, 3.5]
[physics]
energy_loss = "gaussian"
scattering = "gaussian"
"""
DISTORT = f"""
[[distort]]
kind = "field"
factor = {FIELD}
[[distort]]
kind = "misalign"
layers = "{PIXEL}"
translation = [{MOVED}, 0.0, 0.0]
"""
FIT = '[fit]\nenergy_loss = "ionisation"\nscattering = "highland"\n'
ALIGN = f"""
detector = "{DETECTOR}"
pairs = true
errors = ["PXB/*"]
{{more}}
[mass]
simulation = "simulation.pairs.parquet"
[input]
hits = "data.hits.parquet"
chunk_size = 9000
[alignment]
u = 0.02
v = 0.02
w = 0.0
field = 0.01
field_order = 0
reference = ["T*", "services*", "PXF*", "PXB/1"]
{FIT}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Hits of both detectors, and the pairs of the undistorted one."""
    folder = tmp_path_factory.mktemp("align")
    for seed, name, distort in ((1, "simulation", ""), (2, "data", DISTORT)):
        (folder / f"{name}.toml").write_text(SIMULATE.format(seed=seed) + distort)
        assert main(["simulate", "tracks", str(folder / f"{name}.toml"), "-o", str(folder / f"{name}.parquet")]) == 0
    (folder / "refit.toml").write_text(refit("simulation"))
    assert main(["refit", str(folder / "refit.toml"), "-o", str(folder / "simulation.parquet")]) == 0
    return folder


def refit(sample, more=""):
    return f'detector = "{DETECTOR}"\n{more}\n[input]\nhits = "{sample}.hits.parquet"\n{FIT}'


def run(capsys, folder, *options, text=None, out="out", more=""):
    (folder / "align.toml").write_text(ALIGN.format(more=more) if text is None else text)
    code = main(["align", str(folder / "align.toml"), "-o", str(folder / out), "--json", *options])
    found, err = capsys.readouterr()
    return code, found, err.strip().splitlines()


@pytest.fixture(scope="module")
def done(made):
    (made / "align.toml").write_text(ALIGN.format(more="iterations = 2\nmodes = 3\nmille = true"))
    assert main(["align", str(made / "align.toml"), "-o", str(made / "out")]) == 0
    return made / "out"


def test_the_layer_that_moved_and_the_field_are_found(done):
    found = read_corrections(done / "corrections.json", load_detector(DETECTOR))
    free = found.errors > 0
    pulls = found.found[free] / found.errors[free]
    names = [found.names[i] for i in np.flatnonzero(free)]
    place = names.index(f"{PIXEL}: u")
    assert abs(pulls[place] - MOVED / found.errors[free][place]) < 4
    assert pulls[place] > 10
    assert np.abs(np.delete(pulls, place)).max() < 4
    field, error = found.field.values[0], found.field.errors[0]
    assert abs(field - (FIELD - 1)) < 4 * np.sqrt(2) * error  # the reference has as many pairs
    assert abs(field) > 3 * error


def test_what_was_found_takes_chi2_away(done):
    result = json.loads((done / "align.json").read_text())
    first, second = result["passes"]
    assert result["tracks"] == result["fitted"] == 1400
    assert first["used"] + first["bad_chi2"] == second["used"] == 1400
    assert json.loads((done / "corrections.json").read_text())["surfaces"]["beam pipe"]["tracks"] == 1400
    assert first["pairs"] > 500
    assert second["pairs"] > 650
    assert first["chi2"] / first["ndf"] > 1.5
    assert abs(second["chi2"] / second["ndf"] - 1) < 0.03
    assert (done / "align.html").read_text().count("<img") == 2
    modes = json.loads((done / "modes.json").read_text())["modes"]
    assert len(modes) == 3
    assert all(mode["information"] >= 0 and mode["name"] for mode in modes)


def test_millepede_gets_every_track_and_the_names_of_its_labels(done):
    records = read_mille(done / "mille.bin")
    assert len(records) == 1400
    labels = {label for record in records[:50] for each in record for label in each.of_labels}
    names = dict(line.split(" ", 1) for line in (done / "mille.labels.txt").read_text().splitlines())
    assert {str(label) for label in labels} <= set(names)
    assert names["9"] == "PXB/1: u"
    assert "mille.bin" in (done / "mille.steering.txt").read_text()


def test_pieces_and_processes_change_no_bit(made, capsys):
    values = []
    for out, options in (("one", ()), ("two", ("--jobs", "2"))):
        assert run(capsys, made, *options, out=out)[0] == 0
        content = json.loads((made / out / "corrections.json").read_text())
        values.append((content["surfaces"], content["field"]))
    assert values[0] == values[1]


def test_a_stopped_run_goes_on_where_it_stopped(made, capsys, monkeypatch):
    run(capsys, made, out="whole", more="iterations = 2")
    calls, real = [], pipeline.align_piece

    def counted(job, rows, stop=4):
        if len(calls) == stop:
            raise KeyboardInterrupt
        calls.append(rows)
        return real(job, rows)

    monkeypatch.setattr(pipeline, "align_piece", counted)
    assert run(capsys, made, out="again", more="iterations = 2")[0] == 3
    assert not (made / "again" / "corrections.json").exists()
    monkeypatch.setattr(pipeline, "align_piece", lambda job, rows: counted(job, rows, stop=None))
    assert run(capsys, made, out="again", more="iterations = 2")[0] == 0
    assert len(calls) == 6
    first, second = (json.loads((made / out / "corrections.json").read_text()) for out in ("whole", "again"))
    assert first["surfaces"] == second["surfaces"]


def test_a_number_of_tracks_is_taken_evenly(made, capsys):
    code, found, _ = run(capsys, made, out="few", more="tracks = 600")
    assert code == 0
    assert 600 <= json.loads(found)["tracks"] <= 620
    table = pipeline.open_hits(made / "data.hits.parquet", load_detector(DETECTOR).sensors, 9000)
    assert len(table.pieces) == 3
    assert pipeline.limited(table, None) == (table.pieces, None)
    in_first = len(pipeline.read_hits(table, table.pieces[0]))
    pieces, of_each = pipeline.limited(table, in_first + 1)
    assert pieces == (table.pieces[0], table.pieces[2])
    assert of_each == in_first // 2 + 1
    part = first_events(pipeline.read_hits(table, table.pieces[0]), 7)
    assert len(part) == 8  # whole events


def test_chunks_have_whole_events_and_tracks_of_one_length():
    rng = np.random.default_rng(1)
    event, good, stops = np.repeat(np.arange(1000), 3), np.arange(3000) % 7 != 0, rng.integers(10, 40, 3000)
    found = list(chunks(event, good, stops))
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.flatnonzero(good))
    assert len(found) > 3
    assert sum(len(np.unique(event[tracks])) for tracks in found) == len(np.unique(event[good]))
    assert all(stops[one].max() <= stops[other].max() for one, other in pairwise(found))


def test_refit_takes_the_corrections(made, done, capsys):
    results = []
    assert done == made / "out"
    for name, more in (("plain", ""), ("aligned", 'corrections = "out/corrections.json"')):
        (made / "refit.toml").write_text(refit("data", more))
        assert main(["refit", str(made / "refit.toml"), "-o", str(made / f"{name}.parquet"), "--json"]) == 0
        results.append(json.loads(capsys.readouterr().out))
    plain, aligned = (result["chi2"] / result["ndf"] for result in results)
    assert plain > 1.1
    assert abs(aligned - 1) < 0.03
    assert results[1]["corrections"] == "out/corrections.json"
    masses = [np.median(pq.read_table(made / f"{name}.pairs.parquet")["mass"]) for name in ("plain", "aligned")]
    assert masses[1] / masses[0] == pytest.approx(FIELD, abs=1e-3)


def faults(capsys, folder, text):
    code, _, err = run(capsys, folder, text=text, out="bad")
    assert code == 2
    assert not (folder / "bad" / "corrections.json").exists()
    return err


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("pairs = true", "pairs = true\ntrack = 3", "track: unknown key; did you mean 'tracks'?"),
        ("pairs = true", "", "mass: is of pairs; set pairs = true, or leave [mass] out"),
        ("pairs = true", "pairs = true\ntracks = 0", "tracks: Input should be greater than or equal to 1"),
        ('simulation = "simulation.pairs.parquet"', "", "mass: give simulation, a table of pairs, or reference"),
        ('"simulation.pairs.parquet"', '"nothing.parquet"', "nothing.parquet: cannot be read"),
        ('"simulation.pairs.parquet"', '"simulation.parquet"', "simulation.parquet: cannot be read"),
        ('"simulation.pairs.parquet"', '"simulation.pairs.parquet"\nwindow = [3.09, 3.0901]', "100 are needed"),
        ('["PXB/*"]', '["PXX/*"]', "errors: no surface of cms_like_layers fits 'PXX/*'"),
        ('"data.hits.parquet"', '"nothing.parquet"', "nothing.parquet: there is no such file"),
        ("u = 0.02", "u = -1", "alignment.u: Input should be greater than or equal to 0"),
        ('["T*", ', '["Q*", ', "alignment.reference: no surface of cms_like_layers fits 'Q*'"),
        (f'"{DETECTOR}"', '"telescope"', "was made with the detector 'cms_like_layers'"),
    ],
)
def test_a_fault_is_one_line(made, capsys, old, new, line):
    text = ALIGN.format(more="")
    assert old in text
    (found,) = faults(capsys, made, text.replace(old, new, 1))
    assert line in found


def test_a_singular_system_names_what_is_not_fixed(made, capsys):
    gun = "[gun]\np = [5, 50]\neta = [-0.1, 0.1]\nphi = [-0.1, 0.1]\n"
    text = f'[generate]\nparticle = "mu"\ntracks = 200\nseed = 3\n{gun}[detector]\nname = "telescope"\n'
    (made / "gun.toml").write_text(text)
    assert main(["simulate", "tracks", str(made / "gun.toml"), "-o", str(made / "gun.parquet")]) == 0
    capsys.readouterr()
    prior = '[alignment]\nfree = ["u", "v"]\nrigid = "move"\n'
    *_, found = faults(capsys, made, f'detector = "telescope"\n[input]\nhits = "gun.hits.parquet"\n{prior}{FIT}')
    assert "the system is singular: the tracks do not fix plane/" in found


def test_corrections_of_another_detector_or_damaged_ones_end_a_refit(made, done, capsys):
    (made / "other.json").write_text((done / "corrections.json").read_text().replace('"checksum": "', '"checksum": "0'))
    (made / "short.json").write_bytes((done / "corrections.json").read_bytes()[:2000])
    for name, line in (("other", "corrects the detector"), ("short", "is not valid JSON"), ("none", "cannot be read")):
        (made / "refit.toml").write_text(refit("data", f'corrections = "{name}.json"'))
        assert main(["refit", str(made / "refit.toml"), "-o", str(made / "bad.parquet")]) == 2
        (found,) = capsys.readouterr().err.strip().splitlines()
        assert line in found
        assert f"{name}.json" in found
        assert not (made / "bad.parquet").exists()
