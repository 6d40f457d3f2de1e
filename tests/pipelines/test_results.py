"""What pieces and commands of identification give back: packed without loss, printed, and as JSON."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from muonkit.conditions.check import Findings
from muonkit.core.packing import pack, unpack
from muonkit.io.chunks import BadRows, Summary
from muonkit.muid.build.count import PdfCounts, nothing
from muonkit.muid.identify import Numbers
from muonkit.muid.tally import STATUSES, Tally
from muonkit.pipelines.conditions_results import StoreChecked, TagChanged
from muonkit.pipelines.identify import IdentifiedPiece, IdentifyResult
from muonkit.pipelines.pdfs import PdfsResult
from muonkit.pipelines.pdfs_show import LayerEntry, PayloadSummary
from muonkit.pipelines.simulate_klm import SimulatedTables

NUMBERS = Numbers(9, 1, 2, 3, 4, 0, 1, np.array([0, 6, 1, 0, 0, 0]))
TALLY = Tally(
    np.bincount([3] * 9, minlength=STATUSES),
    np.arange(8),
    80,
    5,
    2,
    60,
    1,
    0,
    np.ones(8, int),
    np.ones(3, int),
    np.ones(2, int),
)
IDENTIFIED = IdentifyResult(
    Path("out.parquet"), NUMBERS, TALLY, {"are not finite": 5}, "hits.parquet", 80, 7, ("toy.npz",)
)


def kept(value, tmp_path):
    """As a checkpoint gives it back."""
    np.savez(tmp_path / "x.npz", **pack(value))
    with np.load(tmp_path / "x.npz", allow_pickle=False) as content:
        return unpack(type(value), dict(content))


@pytest.mark.parametrize("bad", [{}, {"are in a region, section, sector or layer that does not exist": 2}])
def test_a_piece_of_identified_tracks_is_kept_whole(tmp_path, bad):
    charges = Summary(3, 1, (BadRows("t.parquet", "charge", "not finite", 1, (2,)),))
    piece = IdentifiedPiece({"event": np.arange(3), "chi2": np.array([0.1, np.nan, 2.0])}, TALLY, charges, bad, {13: 3})
    again = kept(piece, tmp_path)
    assert (again.bad_hits, again.hypotheses) == (bad, {13: 3})
    assert again.charges == charges
    assert (again.tally + TALLY).to_json() == (TALLY + TALLY).to_json()
    assert list(again.columns) == ["event", "chi2"]
    assert np.array_equal(again.columns["chi2"], piece.columns["chi2"], equal_nan=True)
    assert again.columns["event"].dtype == np.int64


def test_a_piece_of_a_sample_and_counts_are_kept_whole(tmp_path):
    piece = SimulatedTables({"event": np.arange(2), "cov": np.ones((2, 21))}, {"x": np.zeros(0)}, {}, True)
    again = kept(piece, tmp_path)
    assert again.stand_in is True
    assert again.tracks["cov"].shape == (2, 21)
    assert (list(again.hits), list(again.truth)) == (["x"], [])
    counts = nothing()
    counts.seen[3] = 5
    back = kept(counts, tmp_path)
    assert isinstance(back, PdfCounts)
    assert np.array_equal(back.seen, counts.seen)


def test_an_identification_prints_its_faults_first_and_its_message_last():
    lines = str(IDENTIFIED).splitlines()
    assert lines[0] == "5 hits are not finite: left out"
    assert lines[1] == "hits.parquet: 7 of 80 hits are in events without tracks"
    assert "hits: 60 of 73 in time match, 2 out of time, 1 not on their module" in lines
    assert lines[-1] == "payloads: toy.npz"
    assert replace(IDENTIFIED, warnings=("odd",)).message == "WARNING: odd"
    odd = replace(IDENTIFIED, numbers=replace(NUMBERS, efficiency_missing=2))
    assert odd.message == "2 tracks cross modules without a known efficiency: taken as 1"
    assert str(odd).splitlines()[-1] == odd.message
    assert (odd.status, odd.exit_code) == ("DONE", 0)


def test_numbers_of_pieces_add_up_and_have_names_in_json():
    content = (NUMBERS + NUMBERS).to_json()
    assert (content["tracks"], content["junk"], content["most_probable_mu"]) == (18, 6, 12)
    assert json.loads(json.dumps(IDENTIFIED.to_json()))["bad_hits"] == {"are not finite": 5}


CHECKED = "checked: 0 payloads by SHA-256; 0 intervals in 0 global tags"


def test_a_store_with_a_fault_ends_with_1():
    whole, broken = (StoreChecked(Findings(faults, ["a"]), (Path("b"),)) for faults in ([], ["x: is gone"]))
    assert (whole.status, whole.exit_code, str(whole)) == (
        "PASS",
        0,
        f"note: a\nremoved b\n{CHECKED}\nthe store is whole",
    )
    assert (broken.status, broken.exit_code, broken.message) == ("ATTENTION", 1, "faults: 1")
    assert broken.to_json()["exit_code"] == 1


def test_a_tag_says_what_became_of_it():
    assert str(TagChanged("main", "published", 3)) == "main: published with 3 entries"
    assert TagChanged("main", "open").to_json() == {"tag": "main", "state": "open", "text": "main: created, open"}


def test_a_payload_prints_its_table_only_if_it_was_asked_for():
    plain = PayloadSummary("c" * 64, {"mu+": 2}, {"made by": "x"}, None)
    assert (
        str(plain)
        == f"checksum {'c' * 16}, made by x\ndetector not recorded\nextrapolated through not recorded\ntracks: 2 mu+"
    )
    assert "table" not in plain.to_json()
    asked = replace(plain, table=(LayerEntry("barrel 0", 0.5, 0.1, 7),))
    assert str(asked).splitlines()[-1] == "  barrel 0   0.5000 +- 0.1000 of 7"
    assert asked.to_json()["table"] == [{"layer": "barrel 0", "p": 0.5, "uncertainty": 0.1, "crossed": 7}]


def test_pdfs_are_told_with_their_files():
    result = PdfsResult(Path("p.npz"), Path("p.html"), "d" * 64, 1_500_000, 10, 8, 1, 2, True)
    assert str(result).endswith(
        "payload dddddddddddd, 1.50 MB\n2 of all tracks from primaries that decayed in the tracker: left out\np.html"
    )
    assert result.to_json()["page"] == "p.html"
