"""Mille files: what is written is read back, the solution from it is the same, and damaged files are refused."""

import struct

import numpy as np
import pytest
from tests.alignment import samples

from muonkit.alignment.config import AlignmentSettings, Groups
from muonkit.alignment.linear import eliminate
from muonkit.alignment.mille import read_mille, steering, write_mille
from muonkit.alignment.parameters import SIZE
from muonkit.alignment.system import NormalSystem
from muonkit.core.errors import InputError


@pytest.fixture(scope="module")
def tracks():
    detector = samples.telescope()
    return samples.equations_of(detector, detector, 40)


@pytest.fixture(scope="module")
def written(tracks, tmp_path_factory):
    path = tmp_path_factory.mktemp("mille") / "tracks.bin"
    assert write_mille(path, [tracks, tracks]) == 80
    return path


def test_measurements_are_read_back(tracks, written):
    found = read_mille(written)
    assert len(found) == 80
    for row in (0, 7):
        measured = np.flatnonzero(tracks.measured[row])
        assert [one.residual for one in found[row]] == pytest.approx(tracks.z[row, measured], rel=1e-6)
        for one, m in zip(found[row], measured, strict=True):
            assert one.sigma == 1
            local = [one.local.get(a + 1, 0.0) for a in range(5)]
            assert local == pytest.approx(tracks.A[row, m], rel=1e-6)
            for index, value in enumerate(tracks.D[row, m]):
                label = SIZE * tracks.surface[row, index // SIZE] + index % SIZE + 1
                assert one.of_labels.get(int(label), 0.0) == pytest.approx(value, rel=1e-6)


def test_the_first_record_is_laid_out_as_by_mille_itself(written):
    """(myBufferPos + 1) * 2 words; float and int buffers from place 0, which is (0., 0); Mille.cc of Millepede II."""
    content = written.read_bytes()
    words = struct.unpack_from("<i", content)[0]
    floats = np.frombuffer(content, "<f4", words // 2, 4)
    names = np.frombuffer(content, "<i4", words // 2, 4 + 2 * words)
    assert (floats[0], names[0], names[1]) == (0, 0, 0)
    second = int(np.flatnonzero(names[2:] == 0)[0]) + 2
    assert set(names[2:second]) <= {1, 2, 3, 4, 5}
    assert floats[second] == 1
    assert (names == 0).sum() == 1 + 2 * 24


def test_records_give_the_sums_of_the_system(tracks, written):
    """Elimination as pede does it, in double precision from single."""
    N, size2 = np.zeros((12 * SIZE, 12 * SIZE)), np.zeros(12 * SIZE)
    for record in read_mille(written)[:40]:
        A, D = np.zeros((len(record), 5)), np.zeros((len(record), 12 * SIZE))
        for row, one in enumerate(record):
            A[row, [place - 1 for place in one.local]] = list(one.local.values())
            D[row, [label - 1 for label in one.of_labels]] = list(one.of_labels.values())
        size2 += (D**2).sum(axis=0)
        D -= A @ np.linalg.lstsq(A, D, rcond=None)[0]
        N += D.T @ D
    gone, system = eliminate(tracks), NormalSystem(12)
    system.add_equations(gone.surface, gone.D, gone.z)  # what kinks say of the matter is not in the file
    expected = system.matrix(np.ones(96)).toarray()
    size = np.sqrt(size2)
    assert (np.abs(N - expected) <= 1e-5 * size[:, None] * size[None, :]).all()


def test_damaged_files_are_refused(written, tmp_path):
    content = written.read_bytes()
    names = 4 + 4 * (struct.unpack_from("<i", content)[0] // 2)
    damaged = {
        "cut": content[:-3],
        "negative": struct.pack("<i", -8) + content[4:],
        "long": struct.pack("<i", 2**31 - 2) + content[4:],
        "odd": struct.pack("<i", 7) + content[4:],
        "names": content[: names + 4] + struct.pack("<i", -5) + content[names + 8 :],
        "nan": content[:8] + struct.pack("<f", np.nan) + content[12:],
        "text": b"not a Mille file",
    }
    for name, bad in damaged.items():
        path = tmp_path / name
        path.write_bytes(bad)
        with pytest.raises(InputError, match=r"track \d+.* (is|are) damaged"):
            read_mille(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_mille(tmp_path / "none")


def test_steering_names_every_parameter(written):
    text = steering(written, 12, AlignmentSettings(w=0, free=("u",))).splitlines()
    assert text[:2] == ["Cfiles", str(written)]
    assert "1 0.0 0" in text  # free
    assert "2 0.0 0.1" in text
    assert "3 0.0 -1" in text  # fixed
    assert sum(line.split()[0].isdigit() for line in text if line) == 12 * SIZE


def test_coefficients_of_the_field_follow_those_of_surfaces(written):
    lines = steering(written, 12, AlignmentSettings(field_order=2, field=0.005)).splitlines()
    assert "7 0.0 -1" in lines  # the way to the first surface
    assert [f"{12 * SIZE + place} 0.0 0.005" in lines for place in (0, 1, 2, 3, 4)] == [False, True, True, True, False]


def test_ties_are_refused(written):
    with pytest.raises(InputError, match="groups: a file for Millepede has no ties"):
        steering(written, 12, AlignmentSettings(groups=Groups(material="layer")))
