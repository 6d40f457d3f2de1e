"""Identification that identifies nothing: refused with the likely reason, or told in the summary."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.muid.samples import BELLE2
from tests.pipelines.identifying import changed, hits_changed, identified, prepared, run, write

from muonkit.api import create_store
from muonkit.conditions.iov import IoV
from muonkit.data.klm import REGIONS, SECTIONS
from muonkit.detector.detector import SHIPPED
from muonkit.detector.planes import plane_names
from muonkit.detector.strips import strips_of
from muonkit.io.klm import UPPER
from muonkit.muid.checks.toy import toy_payload

LOWER = np.tril_indices(6)
P, X = ("px", "py", "pz"), ("x", "y", "z")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("identify_useless"))


def columns(folder, name):
    return {key: np.array(values) for key, values in pq.read_table(folder / f"{name}.parquet").to_pydict().items()}


def refused(folder, capsys, more="", payload='payload = "toy.npz"', **tables):
    """The only line of a run with other columns of tracks and hits, which writes nothing."""
    names = with_columns(folder, **tables)
    code, _, err = run(
        capsys, write(folder, "no.toml", more=more, payload=payload, **names), "-o", folder / "no.parquet"
    )
    err = [line for line in err if not line.startswith("identify ")]  # progress
    assert (code, len(err)) == (2, 1), err
    assert not list(folder.glob("*no.parquet*"))
    return err[0]


def with_columns(folder, tracks=(), hits=()):
    names = {}
    if tracks:
        names["tracks"] = changed(folder, "other_tracks.parquet", **tracks)
    if hits:
        names["hits"] = hits_changed(folder, "other_hits.parquet", **hits)
    return names


def warnings(folder, capsys, more="", **tables):
    """The warnings of a run with other columns, which the summary prints too."""
    names = with_columns(folder, **tables)
    write(folder, "odd.toml", more=more, **names)
    result = identified(folder, capsys, "odd.parquet", config="odd.toml")
    assert all(f"WARNING: {line}" in result["text"] for line in result["warnings"])
    return result["warnings"]


def scaled(table, names, factor):
    return {name: table[name] * factor for name in names}


def as_lower(cov):
    whole = np.zeros((len(cov), 6, 6))
    whole[:, UPPER[0], UPPER[1]] = cov
    whole[:, UPPER[1], UPPER[0]] = cov
    return whole[:, LOWER[0], LOWER[1]].tolist()


def test_the_summary_counts_ends_of_tracks_layers_and_hits(folder, capsys):
    result = identified(folder, capsys, "good.parquet")
    table, hits = columns(folder, "tracks"), columns(folder, "hits")
    assert result["warnings"] == []
    assert sum(result["ended"].values()) == len(table["event"])
    assert result["hits"]["hits"] == len(hits["event"])
    out = pq.read_table(folder / "good.parquet").to_pydict()
    assert result["hits"]["matched"] * 2 == sum(out["ndof"])
    assert result["crossings"]["hit"] * 2 == sum(out["ndof"])
    assert f"hits: {result['hits']['matched']} of {len(hits['event'])} in time match" in result["text"]
    assert f"{result['ended']['left the detector']} left the detector" in result["text"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: scaled(t, P, 1000), "px, py, pz look like MeV"),
        (lambda t: scaled(t, X, 10), "x, y, z look like mm"),
        (lambda t: scaled(t, X, 0.01), "they start at the beam; give states at the last measured point"),
        (lambda t: {"x": t["x"] * 0 + 0.01, "y": t["x"] * 0, "z": t["x"] * 0}, "they start at the beam"),
        (lambda t: {"cov": as_lower(t["cov"])}, "cov looks like the lower triangle"),
        (lambda t: {"cov": np.zeros_like(t["cov"]).tolist()}, "has a covariance that is not positive definite"),
        (lambda t: {"cov": (t["cov"] * np.nan).tolist()}, "position, momentum or covariance is not finite"),
        (lambda t: scaled(t, X, 1e4), "not started: outside of the detector"),
    ],
)
def test_tracks_of_which_most_are_of_no_use_are_refused_with_the_reason(folder, capsys, change, reason):
    table = columns(folder, "tracks")
    assert reason in refused(folder, capsys, tracks=change(table))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: scaled(t, X, 10), "positions look like mm"),
        (lambda t: scaled(t, X, 0.01), "positions look like m;"),
        (lambda t: {"layer": t["layer"] + 1}, "layers look counted from 1"),
        (lambda t: {"sector": t["sector"] - 1}, "sectors look counted from 0"),
        (lambda t: {"section": np.where(t["section"] == "fwd", "bwd", "fwd")}, "sections look exchanged"),
        (lambda t: {"region": (t["region"] == "barrel").astype(int)}, "regions look exchanged"),
        (lambda t: {"region": 1 + (t["region"] == "endcap")}, "regions look counted from 1"),
        (lambda t: {"x": t["y"], "y": t["x"]}, "x and y look exchanged"),
        (lambda t: {"x": t["x"] + 300}, "is 'belle2' the detector of these data?"),
        (lambda t: {"t": t["t"] + 1e6}, "is within 10000 ns of 0 ns"),
    ],
)
def test_hits_of_which_most_are_of_no_use_are_refused_with_the_reason(folder, capsys, change, reason):
    table = columns(folder, "hits")
    assert reason in refused(folder, capsys, hits=change(table))


def test_hits_of_other_tracks_are_refused_or_told(folder, capsys):
    event = columns(folder, "hits")["event"]
    events, number = np.unique(event, return_inverse=True)
    order = np.argsort(np.roll(events, 1)[number], kind="stable")
    table = columns(folder, "hits")
    moved = {key: values[order] for key, values in table.items()} | {"event": np.roll(events, 1)[number][order]}
    assert "give tracks and hits of the same events" in refused(folder, capsys, hits=moved)
    right = events[:1]
    mixed = {
        key: np.concatenate((values[np.isin(event, right)], moved[key][~np.isin(moved["event"], right)]))
        for key, values in table.items()
    }
    assert np.all(np.diff(mixed["event"]) >= 0)
    (line,) = (one for one in warnings(folder, capsys, hits=mixed) if "match in" in one)
    assert "are tracks and hits those of the same events?" in line
    table = columns(folder, "tracks")
    backwards = {"x": -table["x"], "y": -table["y"], "px": -table["px"], "py": -table["py"]}
    assert "no track matches any hit" in refused(folder, capsys, tracks=backwards)


def test_a_charge_or_a_field_of_the_other_sign_is_told(folder, capsys):
    charge = columns(folder, "tracks")["charge"]
    told = "is the sign of charges, or the field, another one?"
    assert any(told in line for line in warnings(folder, capsys, tracks={"charge": -charge}))
    text = (SHIPPED / "belle2.toml").read_text()
    (folder / "turned.toml").write_text(text.replace("B = [0, 0, 1.5]", "B = [0, 0, -1.5]"))
    write(folder, "turned_field.toml", payload='payload = "toy.npz"\ndetector = "turned.toml"')
    code, _, err = run(capsys, folder / "turned_field.toml", "-o", folder / "turned.parquet")
    assert code == 2
    assert told in err[-1]


def test_single_tracks_and_hits_of_no_use_are_told(folder, capsys):
    table, hits = columns(folder, "tracks"), columns(folder, "hits")
    few, some = np.arange(len(table["x"])) < 20, np.arange(len(hits["x"])) % 20 == 0
    lines = warnings(folder, capsys, tracks={"x": np.where(few, table["x"] * 10, table["x"])})
    assert lines[0].startswith(tuple(f"{n} tracks cannot be followed: x, y, z look like mm" for n in range(10, 21)))
    late, wide = {"t": np.where(some, 1e6, 0.0)}, {"z": np.where(some, hits["z"] + 1000, hits["z"])}
    assert any("hits do not lie on the module" in line for line in warnings(folder, capsys, hits=wide))
    assert identified(folder, capsys, "odd.parquet", config="odd.toml")["hits"]["astray"] == some.sum()
    assert warnings(folder, capsys, hits=late) == []
    result = identified(folder, capsys, "odd.parquet", config="odd.toml")
    assert f"{some.sum()} out of time" in result["text"]
    most = {"t": np.where(some, 0.0, 1e6)}
    assert any("hits are out of time; see muid.mean_dt" in line for line in warnings(folder, capsys, hits=most))


def test_tracks_that_do_not_reach_the_muon_detector_are_told(folder, capsys):
    soft = scaled(columns(folder, "tracks"), P, 0.05)
    line = warnings(folder, capsys, tracks=soft)[0]
    assert line.startswith("no track reaches the muon detector")
    result = identified(folder, capsys, "odd.parquet", config="odd.toml")
    assert "not started: pT is not above the least" in result["text"]


def test_limits_can_be_moved(folder, capsys):
    fast = scaled(columns(folder, "tracks"), P, 100)
    assert "look like MeV" in refused(folder, capsys, tracks=fast)
    assert isinstance(warnings(folder, capsys, more="max_p = 1e6", tracks=fast), list)


@pytest.mark.parametrize(
    ("charge", "fault"),
    [
        (lambda q: np.where(q > 0, 1, 0), "column 'charge' is 0 instead of +1 or -1 in"),
        (lambda q: np.where(q > 0, 1, 2), "column 'charge' is not +1 or -1 in"),
        (lambda q: -13 * q.astype(int), "column 'charge' is not +1 or -1 in"),
        (lambda q: q * 0.5, "column 'charge' is not +1 or -1 in"),
        (lambda q: q * np.nan, "column 'charge' is not finite in"),
        (lambda q: q.astype(np.int8).view(np.uint8), "is 255 in"),
        (lambda q: q.astype(np.int64).view(np.uint64), "-1 as an unsigned number. Store charges as signed numbers"),
    ],
)
def test_charges_that_are_none_are_refused(folder, capsys, charge, fault):
    line = refused(folder, capsys, tracks={"charge": charge(columns(folder, "tracks")["charge"])})
    assert fault in line


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.float32])
def test_charges_may_have_any_signed_type(folder, capsys, kind):
    charge = columns(folder, "tracks")["charge"].astype(kind)
    assert warnings(folder, capsys, tracks={"charge": charge}) == []


def test_few_charges_that_are_none_are_told_with_their_rows(folder, capsys):
    charge = columns(folder, "tracks")["charge"].astype(int)
    charge[[5, 7]] = 13
    lines = warnings(folder, capsys, tracks={"charge": charge})
    assert [line.endswith("is not +1 or -1 in 2 rows (5, 7, counted from 0); not started") for line in lines] == [True]


def every_strip():
    """All strips of all modules, as the payload lists them."""
    dead, strips = [], strips_of(BELLE2, first_rpc_layer=2)
    for plane in plane_names(BELLE2):
        for number in (0, 1):
            count = int(strips.number[plane.surface, number])
            module = {"region": REGIONS[plane.region], "section": SECTIONS[plane.section], "layer": plane.layer}
            dead.append(module | {"sector": plane.sector, "plane": number, "strips": list(range(1, count + 1))})
    return dead


def test_a_detector_without_a_living_channel_is_refused(folder, capsys):
    with create_store(folder / "dead") as store:
        store.create_tag("v1")
        status = {"schema": "KLMChannelStatus/1", "dead": every_strip()}
        contents = {
            "KLMLikelihoodParameters": toy_payload().to_bytes(),
            "KLMChannelStatus": json.dumps(status).encode(),
        }
        for name, content in contents.items():
            store.tag("v1", name, store.add(name, content, f"{name}/1").revision, IoV(0, 0, 0, -1))
    nothing = pq.read_table(folder / "hits.parquet").slice(0, 0)
    pq.write_table(nothing, folder / "no_hits.parquet")
    section = '[conditions]\nlocation = "dead"\ntag = "v1"\nchannel_status = "KLMChannelStatus"'
    config = write(folder, "dead.toml", hits="no_hits.parquet", more=section, payload="")
    code, _, err = run(capsys, config, "-o", folder / "dead.parquet")
    assert code == 2
    assert "have no information: " in err[-1]
    assert "layers are crossed where channels are dead" in err[-1]
