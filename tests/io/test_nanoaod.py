"""Pairs made from lists of muons."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from tests.conftest import shared_data
from tests.io import nano
from tests.io.pairs import choice
from tests.io.test_source import assert_same

from muonkit.core.errors import InputError
from muonkit.data.dimuons import concatenate
from muonkit.io import nanoaod, source
from muonkit.io.source import Checked, open_dimuons, read, refuse

SAMPLE = "cms-open-data/NanoAODv5_sample.root"
OUTREACH = "cms-open-data/Run2012BC_DoubleMuParked_Muons_rntuple_1000evts.root"


def pieces(path: Path, simulation: bool = False, **settings: object) -> list[Checked]:
    chunks = open_dimuons([str(path)], choice(format="nanoaod", **settings), simulation=simulation).chunks
    return [read(chunk) for chunk in chunks]


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
@pytest.mark.parametrize("chunk_size", [1, 3, 100])
def test_every_opposite_sign_pair_of_an_event_is_made(kind: str, chunk_size: int, tmp_path: Path) -> None:
    checked = pieces(nano.write(tmp_path / "a.root", nano.content(), kind), chunk_size=chunk_size)
    table = concatenate([part.table for part in checked])
    np.testing.assert_array_equal(table.plus.pt, [9, 9, 5, 5, 6, 6])
    np.testing.assert_array_equal(table.minus.pt, [8, 7, 4, 3, 4, 3])
    assert table.identity is not None
    np.testing.assert_array_equal(table.identity.event, [10, 10, *[2**40] * 4])
    np.testing.assert_array_equal(table.identity.luminosity_block, [5, 5, 7, 7, 7, 7])
    assert np.all(table.weight == 1)
    assert sum(part.same_sign for part in checked) == 3
    assert sum(part.rows for part in checked) == 8


@pytest.mark.parametrize("index", [False, True])
def test_pairs_are_kept_where_both_muons_have_their_generator_muon(index: bool, tmp_path: Path) -> None:
    (checked,) = pieces(nano.write(tmp_path / "a.root", nano.content(index)), True, columns={"weight": "genWeight"})
    table = checked.table
    assert table.gen_plus is not None
    assert table.gen_minus is not None
    # by index, the muon across phi = pi has none; the nearest particle knows it. Event 3: status 2 and dR = 0.2 fail
    expected = [[9.1, 8.1], [5.1, 4.1]] if index else [[9.1, 8.1], [9.1, 7.1], [5.1, 4.1]]
    np.testing.assert_allclose(np.stack([table.gen_plus.pt, table.gen_minus.pt], axis=1), expected, rtol=1e-6)
    assert checked.summary.unmatched == 6 - len(expected)
    assert table.weight[-1] == -2


def test_a_bad_muon_costs_its_own_pairs_only(tmp_path: Path) -> None:
    content = nano.content()
    pt = [[9.0, np.nan, 7.0], [], [-20.0], [5.0, 6.0, 4.0, 3.0]]
    content["Muon_pt"] = ak.values_astype(ak.Array(pt), np.float32)
    (checked,) = pieces(nano.write(tmp_path / "a.root", content))
    np.testing.assert_array_equal(checked.table.minus.pt, [7, 4, 3, 4, 3])
    name = str(tmp_path / "a.root")
    assert refuse([checked], 0.5) == [
        f"{name}: column 'Muon_pt' is not finite in 1 row (0, counted from 0); dropped",
        f"{name}: column 'Muon_pt' is not positive in 1 row (2, counted from 0); dropped",
    ]


def test_simulation_without_particles_is_a_fault(tmp_path: Path) -> None:
    content = {name: array for name, array in nano.content().items() if not name.startswith("GenPart")}
    path = nano.write(tmp_path / "a.root", content)
    with pytest.raises(InputError, match=r"columns 'GenPart_pt', .* are missing \(found run, "):
        pieces(path, simulation=True)


def test_lists_of_other_things_are_not_muons(tmp_path: Path) -> None:
    path = nano.write(tmp_path / "a.root", nano.content())
    with pytest.raises(InputError, match="'Muon_pt' and 'GenPart_pdgId' have lists of different length"):
        pieces(path, columns={"Muon_charge": "GenPart_pdgId"})
    with pytest.raises(InputError, match=r"column 'run' holds number, but .* needs a list of numbers per event"):
        pieces(path, columns={"Muon_charge": "run"})


def test_mev_is_seen_in_lists_too(tmp_path: Path) -> None:
    content = nano.content()
    repeated = {name: ak.concatenate([array] * 3) for name, array in content.items()}
    repeated["Muon_pt"] = repeated["Muon_pt"] * np.float32(1000)
    path = nano.write(tmp_path / "a.root", repeated)
    with pytest.raises(InputError, match=r"column 'Muon_pt' looks like MeV \(median 6000\); give GeV"):
        pieces(path)


def test_real_simulation_has_its_truth_within_the_resolution() -> None:
    (checked,) = pieces(shared_data(SAMPLE), simulation=True)
    table = checked.table
    assert table.gen_plus is not None
    ratio = table.plus.pt / table.gen_plus.pt
    assert len(table) > 50
    assert abs(np.median(ratio) - 1) < 0.005
    assert checked.bad == ()


def test_nearest_particle_and_index_agree_on_real_simulation() -> None:
    path = shared_data(SAMPLE)
    (chunk,) = open_dimuons([str(path)], choice(format="nanoaod"), simulation=True).chunks
    nearest = type(chunk)(
        chunk.path,
        chunk.name,
        chunk.format,
        tuple(pair for pair in chunk.columns if pair[0] != "Muon_genPartIdx"),
        chunk.start,
        chunk.stop,
        chunk.simulation,
        chunk.tree,
    )
    assert abs(len(read(chunk).table) - len(read(nearest).table)) <= 2


def test_578_muons_of_the_real_simulation_are_matched() -> None:
    path = shared_data(SAMPLE)
    (chunk,) = open_dimuons([str(path)], choice(format="nanoaod"), simulation=True).chunks
    raw = source.jagged(chunk)
    muons = nanoaod.Lists.of({name: raw[name] for name in ("Muon_pt", "Muon_eta", "Muon_phi", "Muon_charge")}, chunk)
    assert np.isfinite(nanoaod.truth(muons, raw, chunk).pt).sum() == 578


@pytest.mark.parametrize("name", ["cms-open-data/nano_dimuon.root", OUTREACH])
def test_real_data_give_the_same_pairs_in_chunks_of_any_size(name: str) -> None:
    path = shared_data(name)
    whole = pieces(path)
    parts = pieces(path, chunk_size=len(whole[0].table) // 3)
    assert len(parts) > 1
    assert_same(concatenate([part.table for part in parts]), whole[0].table)
