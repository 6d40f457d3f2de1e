"""What identification is given: input that belongs together, runs, output that harms nothing, work that goes on."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.muid.samples import BELLE2, muons
from tests.pipelines.identifying import N, changed, hits_changed, identified, prepared, run, write

from muonkit.api import create_store
from muonkit.conditions.iov import IoV
from muonkit.core.errors import StoppedError
from muonkit.detector.detector import SHIPPED
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.swim.config import MuidSettings
from muonkit.muid.swim.extrapolate import follow
from muonkit.muid.swim.sharing import arbitrated
from muonkit.muid.swim.yoke import build_yoke
from muonkit.pipelines import identify as pipeline
from muonkit.run.checkpoint import unfinished


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("identify_inputs"))


def column(folder, name):
    return np.array(pq.read_table(folder / "hits.parquet").to_pydict()[name])


def in_two_runs(folder):
    """Each event twice, in run 1 and in run 2."""
    for name in ("tracks", "hits"):
        table = pq.read_table(folder / f"{name}.parquet")
        n = table.num_rows
        twice = pa.concat_tables([table, table])
        twice = twice.append_column("experiment", pa.array([7] * 2 * n)).append_column(
            "run", pa.array([1] * n + [2] * n)
        )
        pq.write_table(twice, folder / f"two_{name}.parquet")
    return write(folder, "two.toml", tracks="two_tracks.parquet", hits="two_hits.parquet")


def test_hits_of_no_event_with_tracks_are_counted(folder, capsys):
    event = column(folder, "event")
    stray = np.sum(event == event[-1])
    other = np.where(event == event[-1], 10**6, event)
    write(folder, "stray.toml", hits=hits_changed(folder, "stray.parquet", event=other))
    text = identified(folder, capsys, "stray_out.parquet", config="stray.toml")["text"]
    assert f"{stray} of {len(event)} hits are in events without tracks" in text


def test_hits_of_other_events_altogether_are_refused(folder, capsys):
    write(folder, "other.toml", hits=hits_changed(folder, "other.parquet", event=column(folder, "event") + 10**6))
    code, _, err = run(capsys, folder / "other.toml", "-o", folder / "other_out.parquet")
    assert (code, len(err)) == (2, 1)
    assert "no hit is in an event of" in err[0]


@pytest.mark.parametrize("which", ["tracks", "hits"])
def test_runs_in_one_table_only_are_refused(folder, capsys, which):
    in_two_runs(folder)
    names = {"tracks": "tracks.parquet", "hits": "hits.parquet"} | {which: f"two_{which}.parquet"}
    code, _, err = run(capsys, write(folder, "one_sided.toml", **names), "-o", folder / "x.parquet")
    assert (code, len(err)) == (2, 2)
    assert "has no column 'experiment', as " in err[0]
    assert "has no column 'run', as " in err[1]


def test_runs_stand_in_the_output_and_in_explain(folder, capsys):
    in_two_runs(folder)
    identified(folder, capsys, "two_out.parquet", config="two.toml")
    identified(folder, capsys, "once.parquet")
    two, once = (pq.read_table(folder / name).to_pydict() for name in ("two_out.parquet", "once.parquet"))
    assert two["run"] == [1] * len(once["event"]) + [2] * len(once["event"])
    assert set(two["experiment"]) == {7}
    assert two["ndof"] == once["ndof"] * 2
    event = once["event"][3]
    code, _, err = run(capsys, folder / "two.toml", "--explain", f"{event}:0", "-o", folder / "two.png")
    assert code == 2
    assert "has 2 such tracks; give [[EXPERIMENT:]RUN:]EVENT:TRACK" in err[0]
    for which in (f"2:{event}:0", f"7:2:{event}:0"):
        assert run(capsys, folder / "two.toml", "--explain", which, "-o", folder / "two.png")[0] == 0


def test_explain_needs_the_conditions_of_its_own_run_only(folder, capsys, monkeypatch):
    in_two_runs(folder)
    asked = []
    given = pipeline.prepare.__globals__["conditions"]

    def asking(config, base, runs):
        asked.append(runs)
        return given(config, base, runs)

    monkeypatch.setitem(pipeline.prepare.__globals__, "conditions", asking)
    event = muons(N)[0].event[3]
    assert run(capsys, folder / "two.toml", "--explain", f"2:{event}:0", "-o", folder / "own.png")[0] == 0
    assert asked == [[(7, 2)]]


def test_a_table_is_not_written_over_its_own_input(folder, capsys):
    before = (folder / "tracks.parquet").read_bytes()
    code, _, err = run(capsys, folder / "identify.toml", "-o", folder / "tracks.parquet")
    assert (code, len(err)) == (2, 1)
    assert "would overwrite its own input" in err[0]
    assert (folder / "tracks.parquet").read_bytes() == before


def test_an_output_that_cannot_be_is_one_line(folder, capsys):
    (folder / "folder.parquet").mkdir(exist_ok=True)
    (folder / "file").write_text("")
    for name, fault in (("folder.parquet", "is a folder"), ("file/x.parquet", "Not a directory")):
        code, _, err = run(capsys, folder / "identify.toml", "-o", folder / name)
        assert (code, len(err)) == (2, 1)
        assert fault in err[0]


def test_tracks_without_a_charge_are_not_started(folder, capsys):
    charge = np.array(pq.read_table(folder / "tracks.parquet").to_pydict()["charge"], dtype=float)
    charge[[3, 4]] = np.nan, np.inf
    write(folder, "neutral.toml", tracks=changed(folder, "neutral.parquet", charge=charge))
    result = identified(folder, capsys, "neutral_out.parquet", config="neutral.toml")
    assert result["not_started"] == 2
    outcome = pq.read_table(folder / "neutral_out.parquet").to_pydict()["outcome"]
    assert [i for i, value in enumerate(outcome) if value is None] == [3, 4]


@pytest.mark.parametrize("name", ["layer", "sector", "region", "section"])
def test_hits_in_no_whole_place_are_left_out_and_counted(folder, capsys, name):
    words = {"region": "endcap", "section": "fwd"}
    values = column(folder, name)
    values = (values == words[name] if name in words else values).astype(float)
    values[np.flatnonzero(column(folder, "region") == "barrel")[:2]] = np.nan, 0.9
    write(folder, "halves.toml", hits=hits_changed(folder, "halves.parquet", **{name: values}))
    result = identified(folder, capsys, "halves_out.parquet", config="halves.toml")
    assert result["bad_hits"] == {"are in a region, section, sector or layer that does not exist": 2}


def test_an_unknown_word_is_told_as_it_stands(folder, capsys):
    region = ["wheel", *column(folder, "region")[1:].tolist()]
    write(folder, "words.toml", hits=hits_changed(folder, "words.parquet", region=region))
    code, _, err = run(capsys, folder / "words.toml", "-o", folder / "x.parquet")
    assert code == 2
    assert "column 'region': 'wheel' is not one of barrel, endcap" in err[0]


def test_two_runs_do_not_work_on_one_output_at_once(tmp_path, capsys):
    folder = prepared(tmp_path)
    states = []

    def watching(out, state):
        states.append(state)
        return unfinished(out, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "unfinished", watching)
        identified(folder, capsys, "out.parquet")
    with unfinished(folder / "out.parquet", states[0]):
        code, _, err = run(capsys, folder / "identify.toml", "-o", folder / "out.parquet")
    assert (code, len(err)) == (2, 1)
    assert "another run is writing it" in err[0]
    assert not list(folder.glob(".out*"))


def killed_after(pieces, folder, monkeypatch, capsys, config, out):
    """Run until so many pieces are made."""
    calls, piece = [], pipeline.run_piece

    def dying(job, one):
        calls.append(one)
        if len(calls) > pieces:
            raise KeyboardInterrupt
        return piece(job, one)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "run_piece", dying)
        assert run(capsys, folder / config, "-o", folder / out)[0] == 3


def test_a_run_that_goes_on_with_another_detector_starts_afresh(folder, capsys, monkeypatch):
    text = (SHIPPED / "belle2.toml").read_text()
    (folder / "mine.toml").write_text(text)
    write(folder, "own.toml", payload='payload = "toy.npz"\ndetector = "mine.toml"')
    killed_after(2, folder, monkeypatch, capsys, "own.toml", "own.csv")
    (folder / "mine.toml").write_text(text.replace("resolution = [1.155, 1.155]", "resolution = [4.0, 4.0]"))
    identified(folder, capsys, "own.csv", config="own.toml")
    identified(folder, capsys, "fresh.csv", config="own.toml")
    assert (folder / "own.csv").read_bytes() == (folder / "fresh.csv").read_bytes()


def crowd(folder, n):
    """The first track n times in its event, with n hits on top of each other where it has one."""
    for name in ("tracks", "hits"):
        table = pq.read_table(folder / f"{name}.parquet")
        first = table.filter(np.array(table["event"]) == table["event"][0].as_py())
        crowded = {key: [v for v in values for _ in range(n)] for key, values in first.to_pydict().items()}
        if name == "tracks":
            crowded["track"] = list(range(n))
        pq.write_table(pa.table(crowded), folder / f"crowd_{name}.parquet")
    more = "[muid]\narbitrate = true"
    return write(folder, "crowd.toml", tracks="crowd_tracks.parquet", hits="crowd_hits.parquet", more=more)


def test_every_hit_is_given_to_one_track_in_a_crowd_too(folder, capsys):
    crowd(folder, 40)
    identified(folder, capsys, "crowd.parquet", config="crowd.toml")
    table = pq.read_table(folder / "crowd.parquet").to_pydict()
    assert set(table["shared_hits"]) == {0}
    assert min(table["ndof"]) > 0


def test_arbitration_of_a_crowd_keeps_no_copies_of_the_hits():
    candidates, hits, _ = muons(1000)
    together = replace(candidates, event=np.zeros_like(candidates.event))
    yoke = build_yoke(BELLE2, MuidSettings(arbitrate=True))
    asked = []

    def asking(candidates, hits, *, lost):
        asked.append((len(hits), 0 if lost is None else len(lost.rows)))
        return follow(candidates, hits, yoke, lost)

    arbitrated(asking, together, replace(hits, event=np.zeros_like(hits.event)))
    assert len(asked) > 1
    assert {n for n, _ in asked} == {len(hits)}
    assert max(lost for _, lost in asked) < len(hits)


def stored(folder, run, **payloads):
    """A folder of conditions with payloads (name: content) for one run of experiment 1, and a configuration."""
    place = folder / f"conditions_{run}"
    with create_store(place) as store:
        store.create_tag("v1")
        for name, content in payloads.items():
            payload = store.add(name, content, f"{name}/1")
            store.tag("v1", name, payload.revision, IoV(1, run, 1, run))
    names = 'channel_status = "KLMChannelStatus"\nstrip_efficiency = "KLMStripEfficiency"'
    section = f'experiment = 1\nrun = {run}\n[conditions]\nlocation = "{place.name}"\ntag = "v1"\n{names}'
    return write(folder, "stored.toml", payload="", more=section)


def test_everything_that_is_missing_for_a_run_is_told_at_once(folder, capsys):
    code, _, err = run(capsys, stored(folder, 3), "-o", folder / "x.parquet")
    assert (code, len(err)) == (2, 3)
    names = ("KLMLikelihoodParameters", "KLMChannelStatus", "KLMStripEfficiency")
    assert all(name in line for name, line in zip(names, err, strict=True))


def test_channels_that_do_not_exist_are_told_with_their_payload_before_the_work(folder, capsys):
    where = {"region": "barrel", "section": "fwd", "sector": 1, "layer": 3}
    dead = {"schema": "KLMChannelStatus/1", "dead": [where | {"plane": 0, "strips": [-3, 5, 36, 2000]}]}
    good = {"schema": "KLMStripEfficiency/1", "modules": [where | {"planes": [0.9, 0.9]}]}
    contents = {"KLMLikelihoodParameters": toy_payload().to_bytes()}
    contents |= {"KLMChannelStatus": json.dumps(dead).encode(), "KLMStripEfficiency": json.dumps(good).encode()}
    code, _, err = run(capsys, stored(folder, 4, **contents), "-o", folder / "early.parquet")
    assert (code, len(err)) == (2, 1)
    assert "KLMChannelStatus revision 1" in err[0]
    assert err[0].endswith("has strips 1 to 36, not -3, 2000")
    assert not list(folder.glob(".early.parquet*"))
    contents |= {"KLMChannelStatus": json.dumps(dead | {"dead": []}).encode()}
    contents |= {"KLMStripEfficiency": json.dumps(good | {"modules": good["modules"] * 2}).encode()}
    code, _, err = run(capsys, stored(folder, 5, **contents), "-o", folder / "early.parquet")
    assert (code, len(err)) == (2, 1)
    assert "barrel/fwd/1/03 has two efficiencies" in err[0]


def test_a_process_that_is_ended_from_outside_is_one_line(folder, capsys, monkeypatch):
    def ended(*_):
        raise StoppedError("a process was ended from outside")

    monkeypatch.setattr(pipeline, "run_piece", ended)
    code, _, err = run(capsys, folder / "identify.toml", "-o", folder / "x.parquet")
    assert (code, len(err)) == (3, 1)
    assert "the same command goes on" in err[0]


def test_a_payload_without_correlated_layers_is_refused_by_the_improved_mode_with_one_line(folder, capsys):
    replace(toy_payload(), log_odds=None, behaviour=None).save(folder / "plain.npz")
    improved = '[likelihood]\nmode = "improved"\n'
    config = write(folder, "improved.toml", payload='payload = "plain.npz"', more=improved)
    code, _, err = run(capsys, config, "-o", folder / "improved.parquet")
    assert code == 2
    assert len(err) == 1
    assert err[0].endswith(
        "plain.npz: has no tables of correlated layers, which likelihood.mode = 'improved' needs. Build a payload with "
        "`muonkit pdfs build`, or set likelihood.layers = 'independent'."
    )
    single = write(folder, "single.toml", payload='payload = "plain.npz"', more=improved + 'layers = "independent"\n')
    assert run(capsys, single, "-o", folder / "single.parquet")[0] == 0
