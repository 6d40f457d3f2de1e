"""Corrections in a file: what comes back is what was written, for that detector alone; damage is one line."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.alignment import samples

from muonkit.alignment.apply import corrected
from muonkit.alignment.config import AlignmentSettings
from muonkit.alignment.files import read_corrections, write_corrections
from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.parameters import indices
from muonkit.alignment.solve import Corrections, solve
from muonkit.alignment.system import accumulate
from muonkit.core.errors import InputError
from muonkit.detector.detector import load_detector
from muonkit.detector.distort import misalign


@pytest.fixture(scope="module")
def found() -> Corrections:
    detector = samples.telescope()
    hits, fitted = samples.fitted(detector, misalign(detector, "plane/05", (20e-4, 0, 0)), 200)
    sums = accumulate(hits, fitted, detector, samples.SETTINGS, Harmonics.of(detector, 2))
    settings = AlignmentSettings(w=0, alpha=0, beta=0, field_order=2, reference=("plane/01", "plane/12"))
    return solve(sums, detector, settings, indices(np.array([4, 5]), "u"))


@pytest.fixture
def file(found, tmp_path):
    path = tmp_path / "corrections.json"
    write_corrections(path, found, samples.telescope(), {"muonkit": "0"})
    return path


def test_corrections_come_back(found, file):
    again = read_corrections(file, samples.telescope())
    for name in ("values", "asked", "found", "errors", "met", "fixed", "tracks", "chi2", "ndf", "gain"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name), name)
    assert again.layers == found.layers
    np.testing.assert_array_equal(again.field.values, found.field.values)
    one, other = (corrected(samples.telescope(), each) for each in (again, found))
    np.testing.assert_array_equal(one.surfaces.center, other.surfaces.center)
    points = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(one.field.value(points), other.field.value(points))


def test_the_file_can_be_read_by_people(file):
    content = json.loads(file.read_text())
    plane = content["surfaces"]["plane/05"]
    assert abs(plane["u"] - 20e-4) < 5 * plane["u_error"]
    assert plane["tracks"] > 100
    assert "w" not in plane
    assert content["field"]["names"][0] == "field scale"
    assert sum(line.startswith('  "plane/') for line in file.read_text().splitlines()) == 12


def test_another_detector_is_refused(file):
    with pytest.raises(InputError, match="corrects the detector 'telescope'") as error:
        read_corrections(file, load_detector("cms_like_layers"))
    assert len(error.value.faults) == 1
    other = replace(samples.telescope(), layers=tuple(f"x{i}" for i in range(12)))
    with pytest.raises(InputError, match="has no surface 'x0'"):
        read_corrections(file, other)


def changed(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("format"),
        lambda content: content.update(version=2),
        lambda content: content.pop("detector"),
        lambda content: content["detector"].update(checksum=3),
        lambda content: content.pop("surfaces"),
        lambda content: content.update(surfaces=[]),
        lambda content: content["surfaces"].pop("plane/07"),
        lambda content: content["surfaces"].update({"plane/99": {"tracks": 1}}),
        lambda content: content["surfaces"]["plane/02"].pop("tracks"),
        lambda content: content["surfaces"]["plane/02"].update(u=float("nan")),
        lambda content: content["surfaces"]["plane/02"].update(u="a"),
        lambda content: content["surfaces"]["plane/02"].update(u=[1]),
        lambda content: content["surfaces"].update({"plane/02": None}),
        lambda content: content["sums"].pop("tracks"),
        lambda content: content["sums"].update(chi2="much"),
        lambda content: content["field"].update(values=[1.0]),
        lambda content: content["field"]["values"].__setitem__(0, None),
        lambda content: content["field"]["harmonics"].update(order="x"),
    ],
)
def test_damage_is_one_line(file, change):
    changed(file, change)
    with pytest.raises(InputError) as error:
        read_corrections(file, samples.telescope())
    assert len(error.value.faults) == 1
    assert str(file) in error.value.faults[0]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00", b"[]", b"3", b'{"format": "muonkit module corrections"']
)
def test_what_is_no_such_file_is_one_line(file, content):
    file.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_corrections(file, samples.telescope())
    assert len(error.value.faults) == 1
    assert str(file) in error.value.faults[0]
