"""A payload or a classifier that is made for another detector than the tracks is never used in silence."""

import json
from dataclasses import replace

import pytest
from tests.pipelines.identifying import identified, prepared, write

from muonkit.cli import main
from muonkit.detector.detector import load_detector
from muonkit.muid.checks.toy import toy_payload
from muonkit.pipelines.made_for import OF_SAMPLES, THROUGH, recorded

OWN, OTHER = recorded(load_detector("belle2")), {"name": "another", "checksum": "ab" * 32}
SAMPLE = """
[generate]
events = 60
[gun]
particle = "{particle}"
p = [1.0, 4.0]
theta = [0.6, 2.3]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("identify"))


def with_payload(folder, capsys, **provenance):
    replace(toy_payload(), provenance={key.replace("_", " "): one for key, one in provenance.items()}).save(
        folder / "p.npz"
    )
    write(folder, "p.toml", payload='payload = "p.npz"')
    return identified(folder, capsys, "p.parquet", config="p.toml")


def test_the_detector_of_the_tracks_is_silent(folder, capsys):
    found = with_payload(folder, capsys, detector=OWN, extrapolated_through=OWN)
    assert not [line for line in (*found["warnings"], *found["notes"]) if "detector" in line]


@pytest.mark.parametrize("made", [(OTHER, OTHER), (OTHER, OWN), (OWN, OTHER)])
def test_another_detector_is_a_warning(folder, capsys, made):
    found = with_payload(folder, capsys, detector=made[0], extrapolated_through=made[1])
    (line,) = (one for one in found["warnings"] if one.startswith("payload p.npz is made for detector"))
    assert "another (abababababab)" in line
    assert f"tracks are extrapolated through belle2 ({OWN['checksum'][:12]})" in line
    assert f"WARNING: {line}" in found["text"]


@pytest.mark.parametrize("content", [{}, {"detector": "belle2"}, {"detector": {"name": "belle2"}}])
def test_a_payload_that_does_not_say_is_told(folder, capsys, content):
    found = with_payload(folder, capsys, **content)
    assert "payload p.npz: for which detector it is made is not recorded" in found["notes"]
    assert found["warnings"] == []


@pytest.mark.parametrize("gate", [3.5, 2.74])
def test_a_payload_that_is_made_with_another_gate_is_a_warning(folder, capsys, gate):
    found = with_payload(
        folder, capsys, detector=OWN, extrapolated_through=OWN, muid={"max_sigma": gate, "match": "both"}
    )
    other = ["payload p.npz is made with muid.max_sigma = 3.5, here 2.74"]
    assert found["warnings"] == (other if gate == 3.5 else [])


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    path = tmp_path_factory.mktemp("samples")
    for name in ("mu", "pi", "K", "p", "d", "e"):
        (path / f"{name}.toml").write_text(SAMPLE.format(particle=name))
        assert main(["simulate", "klm", str(path / f"{name}.toml"), "-o", str(path / f"{name}.parquet")]) == 0
    (path / "b.toml").write_text('[input]\nsamples = ["*.parquet"]\n')
    return path


def noted(samples, name, **changes):
    file = samples / f"{name}.json"
    note = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({key: value for key, value in note.items() if value is not None}))


def test_payloads_know_the_detector_of_their_samples(samples, capsys):
    assert main(["pdfs", "build", str(samples / "b.toml"), "-o", str(samples / "b.npz")]) == 0
    assert "WARNING" not in capsys.readouterr().out
    assert main(["pdfs", "show", str(samples / "b.npz"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["provenance"][OF_SAMPLES] == shown["provenance"][THROUGH] == OWN
    assert f"detector belle2 ({OWN['checksum'][:12]})" in shown["text"]


def test_samples_of_other_detectors_are_told_and_of_several_refused(samples, capsys):
    build = ["pdfs", "build", str(samples / "b.toml"), "-o", str(samples / "c.npz")]
    noted(samples, "mu", detector=OTHER)
    assert main(build) == 2
    assert "are of different detectors" in capsys.readouterr().err
    (samples / "t.toml").write_text('[input]\nsamples = ["mu.parquet", "pi.parquet"]\n')
    assert main(["classifier", "train", str(samples / "t.toml"), "-o", str(samples / "t.npz")]) == 2
    assert "are of different detectors" in capsys.readouterr().err
    for name in ("mu", "pi", "K", "p", "d", "e"):
        noted(samples, name, detector=OTHER)
    assert main(build) == 0
    assert "mu.parquet: is of detector another (abababababab), its tracks go through belle2" in capsys.readouterr().out
    noted(samples, "pi", detector=None)
    assert main(build) == 0
    assert "pi.parquet: does not record its detector" in capsys.readouterr().out
    assert main(["pdfs", "show", str(samples / "c.npz")]) == 0
    assert "detector not recorded" in capsys.readouterr().out


def test_a_classifier_of_another_detector_is_a_warning(folder, capsys):
    from muonkit.muid.shipped import classifier_of

    shipped = classifier_of("default", folder)
    about = {key: one for key, one in shipped.about.items() if key not in (OF_SAMPLES, THROUGH)}
    replace(shipped, about=about | {OF_SAMPLES: OTHER, THROUGH: OWN}).save(folder / "c.npz")
    write(folder, "c.toml", payload='payload = "toy.npz"\nclassifier = "c.npz"')
    found = identified(folder, capsys, "c.parquet", config="c.toml")
    assert any(line.startswith("classifier c.npz is made for detector another") for line in found["warnings"])
