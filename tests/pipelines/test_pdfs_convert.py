"""Payloads of the Belle II software: dumps as text, XML and ROOT, and back."""

import json
from dataclasses import replace

import numpy as np
import pytest

from muonkit.cli import main
from muonkit.core.errors import InputError
from muonkit.io.basf2.maps import NAMES, of_object, parse_text, read_maps, text_lines, write_maps
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.likelihood.maps import from_maps, integrals, to_maps
from muonkit.muid.likelihood.payload import LikelihoodParameters

ARRAYS = ("longitudinal", "log_density", "threshold", "scale_x", "scale_y")
MU = 10 << 11  # longitudinal ids of mu+
STOP_BARREL_5 = MU + (1 << 4) + 5


def toy():
    """Maps with numbers of all digits."""
    maps = to_maps(toy_payload())
    rng = np.random.default_rng(1)
    maps["LongitudinalPDF"] = {code: rng.uniform(size=len(v)) for code, v in maps["LongitudinalPDF"].items()}
    return maps


MAPS = toy()


def run(capsys, *arguments):
    code = main(["pdfs", *(str(a) for a in arguments)])
    out, err = capsys.readouterr()
    return code, out, err.strip().splitlines()


def changed(name, code, values):
    """The maps with another entry, None for none."""
    entries = {key: old for key, old in MAPS[name].items() if key != code}
    return MAPS | {name: entries if values is None else entries | {code: np.atleast_1d(np.asarray(values, float))}}


@pytest.mark.parametrize("ending", ["txt", "xml", "root"])
def test_a_dump_comes_back_bit_by_bit(tmp_path, capsys, ending):
    dump, again = tmp_path / f"belle2.{ending}", tmp_path / f"again.{ending}"
    write_maps(dump, MAPS)
    assert run(capsys, "import", dump, "-o", tmp_path / "p.npz")[0] == 0
    assert run(capsys, "export", tmp_path / "p.npz", "-o", again)[0] == 0
    if ending != "root":
        assert again.read_bytes() == dump.read_bytes()
    found = read_maps(again)
    assert set(found) == set(NAMES)
    for name in NAMES:
        assert found[name].keys() == MAPS[name].keys()
        assert all(np.array_equal(found[name][code], MAPS[name][code]) for code in MAPS[name])


def test_a_payload_comes_back_with_all_its_tables(tmp_path, capsys):
    toy_payload().save(tmp_path / "toy.npz")
    run(capsys, "export", tmp_path / "toy.npz", "-o", tmp_path / "toy.txt")
    code, out, _ = run(capsys, "import", tmp_path / "toy.txt", "-o", tmp_path / "back.npz", "--json")
    back = LikelihoodParameters.load(tmp_path / "back.npz")
    assert code == 0
    assert json.loads(out)["entries"] == {name: len(MAPS[name]) for name in NAMES}
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(back, name), getattr(toy_payload(), name))
    assert not back.crossed.any()
    assert back.provenance["from"] == "toy.txt"


def test_ids_are_those_of_belle2():
    toy_longitudinal = to_maps(toy_payload())["LongitudinalPDF"][STOP_BARREL_5]
    np.testing.assert_allclose(toy_longitudinal, 0.97 * np.exp(-0.005 * np.arange(6)), rtol=1e-6)
    assert len(MAPS["LongitudinalPDF"]) == 9948
    assert sum(map(len, MAPS["LongitudinalPDF"].values())) == 211_980
    assert sum(len(v) for name in NAMES[1:] for v in MAPS[name].values()) == 66_744


def test_sections_and_punctuation_of_a_text_are_read():
    lines = [" ".join(line.split()[1:]) for line in text_lines({"TransverseScaleX": MAPS["TransverseScaleX"]})]
    text = "# a dump\nm_TransverseScaleX:\n" + "\n".join(line.replace(" ", ": ", 1) + "," for line in lines)
    assert parse_text(text, "dump")["TransverseScaleX"] == MAPS["TransverseScaleX"]


def test_hypotheses_that_were_appended_one_by_one_are_read(tmp_path):
    write_maps(tmp_path / "whole.xml", MAPS)
    text = (tmp_path / "whole.xml").read_text()
    text = text.replace("<KLMLikelihoodParameters>", "").replace("</KLMLikelihoodParameters>", "")
    (tmp_path / "parts.xml").write_text(text)
    found = read_maps(tmp_path / "parts.xml")
    assert all(found[name].keys() == MAPS[name].keys() for name in NAMES)


def test_the_object_itself_is_read_by_its_members():
    class Stored:
        def member(self, name):
            return {code: v if len(v) > 1 else v[0] for code, v in MAPS[name.removeprefix("m_")].items()}

    found = of_object(Stored())
    assert all(np.array_equal(found[n][code], MAPS[n][code]) for n in NAMES for code in MAPS[n])


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        (changed("LongitudinalPDF", STOP_BARREL_5, None), "1 of 9948 ids are missing, the first: 20501 (last layer 5"),
        (changed("LongitudinalPDF", STOP_BARREL_5, [0.5] * 5), "1 entries have a wrong length, the first: 20501"),
        (changed("LongitudinalPDF", STOP_BARREL_5, [1.5] * 6), "1 entries are not probabilities from 0 to 1"),
        (changed("TransversePDF", 2, np.zeros(99)), "have a wrong length, the first: 2 (ndof 2, region 0"),
        (changed("TransversePDF", 2, np.full(100, np.nan)), "1 entries are not finite"),
        (changed("TransverseScaleX", 2, 0.0), "TransverseScaleX: 1 entries are not above 0"),
        (changed("TransverseThreshold", 2, None), "TransverseThreshold: 1 of 648 ids are missing"),
        (changed("TransversePDF", 2, np.zeros(100)), "1 densities are not normalised"),
    ],
)
def test_every_fault_is_one_line(maps, words):
    with pytest.raises(InputError) as caught:
        from_maps(maps, "dump.txt", {})
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith("dump.txt: ")
    assert words in caught.value.faults[0]


def test_densities_that_are_not_normalised_pass_as_they_are():
    found = from_maps(changed("TransversePDF", 2, np.zeros(100)), "dump", {}, as_is=True)
    assert not found.log_density[0, 0, 0].any()


def test_an_ideal_density_is_normalised():
    payload = toy_payload()
    ideal = integrals(payload.log_density, payload.threshold, payload.scale_x, payload.scale_y)[10]
    np.testing.assert_allclose(ideal, 1, atol=0.02)


def test_ids_that_no_track_has_are_counted(tmp_path, capsys):
    write_maps(tmp_path / "more.txt", changed("LongitudinalPDF", 99_999, [0.5]))
    code, out, _ = run(capsys, "import", tmp_path / "more.txt", "-o", tmp_path / "more.npz")
    assert code == 0
    assert "LongitudinalPDF: 1 ids that no track has are left out" in out


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "LongitudinalPDF 3 x\n", "line 1 is no entry of a map"),
        ("b.txt", "Something 3 4\n", "line 1 is no entry of a map"),
        ("c.txt", "TransverseScaleX 2 1\nTransverseScaleX 2 1\n", "line 2 is no entry of a map"),
        ("d.xml", "<MuonPlus>", "cannot be read"),
        ("e.xml", '<!DOCTYPE x [<!ENTITY a "b">]><MuonPlus/>', "has a DOCTYPE or entities"),
        ("f.xml", '<MuonPlus><LayerProfile><Outcome outcome="x"/></LayerProfile></MuonPlus>', "ids are missing"),
        (
            "g.xml",
            '<MuonPlus><LayerProfile><Outcome outcome="1"><LastLayer layer="z">1</LastLayer></Outcome></LayerProfile>'
            "</MuonPlus>",
            "its attribute layer is 'z'",
        ),
        ("h.root", "no root file", "cannot be read"),
        ("i.dat", "", "unknown kind of dump"),
    ],
)
def test_what_is_no_dump_is_refused(tmp_path, capsys, name, content, words):
    (tmp_path / name).write_text(content)
    code, _, err = run(capsys, "import", tmp_path / name, "-o", tmp_path / "out.npz")
    assert code == 2
    assert words in "\n".join(err)
    assert "Traceback" not in "\n".join(err)
    assert not (tmp_path / "out.npz").exists()


def test_a_payload_without_the_mark_stays_single():
    payload = toy_payload()
    assert payload.longitudinal.dtype == np.float32
    assert replace(payload, provenance={"precision": "double"}).longitudinal.dtype == np.float64
