"""`muonkit conditions draw`: a readout as in real life; `simulate klm` reads it from a store."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.test_simulate_klm import simulated, tables

from muonkit.api import create_store
from muonkit.cli import main
from muonkit.conditions.iov import IoV
from muonkit.data.klm import BARREL
from muonkit.pipelines.payload_schemas import PAYLOAD_SCHEMAS

EXAMPLE = Path(__file__).parents[2] / "examples" / "muid" / "conditions" / "channels.toml"
NAMES = ("KLMChannelStatus", "KLMStripEfficiency")


def drawn(folder, capsys, config=EXAMPLE):
    code = main(["conditions", "draw", str(config), "-o", str(folder), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if code == 0 else None, err


def store_with(folder, payloads):
    with create_store(folder / "store") as store:
        store.create_tag("real")
        for name, content in payloads.items():
            store.tag("real", name, store.add(name, content, f"{name}/1").revision, IoV(0, 0, 0, 9))


def section(run=0, **names):
    lines = [f'{key} = "{name}"' for key, name in names.items()]
    return "\n".join(['[conditions]\nlocation = "store"\ntag = "real"', f"run = {run}", *lines])


def test_the_example_is_of_realistic_size_and_the_same_every_time(tmp_path, capsys):
    code, result, _ = drawn(tmp_path / "a", capsys)
    assert code == 0
    assert result["modules"] == 240 + 4 * 26
    assert 0.02 <= result["weak"] / result["modules"] <= 0.05
    assert 0.002 < result["dead"] / result["strips"] < 0.02
    drawn(tmp_path / "b", capsys)
    for name in NAMES:
        content = (tmp_path / "a" / f"{name}.json").read_bytes()
        assert content == (tmp_path / "b" / f"{name}.json").read_bytes()
        assert PAYLOAD_SCHEMAS.faults(content, f"{name}/1", name) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[rpc]\nefficiency = 1.2", "rpc.efficiency"),
        ("[rpc]\nweek = 0.1", "did you mean 'weak'?"),
        ('detector = "telescope"', "no layer belongs to a muon detector"),
        ("[scintillator]\nweak_efficiency = [0.9, 0.5]", "must rise"),
    ],
)
def test_a_draw_that_cannot_be_is_refused(tmp_path, capsys, text, line):
    (tmp_path / "c.toml").write_text(text)
    code, _, err = drawn(tmp_path / "out", capsys, tmp_path / "c.toml")
    assert code == 2
    assert line in err
    assert not (tmp_path / "out").exists()


def test_the_simulation_leaves_no_hits_on_modules_without_efficiency(tmp_path, capsys):
    layer = [
        {"region": "barrel", "section": end, "sector": sector, "layer": 3, "planes": [0.0, 0.0]}
        for end in ("bwd", "fwd") for sector in range(1, 9)
    ]  # fmt: skip
    store_with(tmp_path, {NAMES[1]: json.dumps({"schema": f"{NAMES[1]}/1", "modules": layer}).encode()})
    code, path = simulated(tmp_path, particle="mu", more=section(strip_efficiency=NAMES[1]))
    assert code == 0
    assert f"payloads: {NAMES[1]} revision 1" in capsys.readouterr().out
    (_, hits, _), about = tables(path)
    assert about["payloads"] == [f"{NAMES[1]} revision 1"]
    found = np.bincount(hits.layer[hits.region == BARREL], minlength=15)
    assert found[3] == 0
    assert found[2] > 50
    assert found[4] > 50


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (section(channel_status="Nothing"), "Nothing"),
        (section(run=10, channel_status=NAMES[0]), "run 10"),
        (section(channel_status=NAMES[0]), "there is no module barrel/fwd/9/03"),
        ('[[readout.background]]\nregion = "barrel"\nrate = [1, 2]', "2 rates for the 15 layers"),
    ],
)
def test_conditions_that_cannot_be_simulated_are_refused(tmp_path, capsys, more, line):
    strip = {"region": "barrel", "section": "fwd", "sector": 9, "layer": 3, "plane": 0, "strips": [1]}
    store_with(tmp_path, {NAMES[0]: json.dumps({"schema": f"{NAMES[0]}/1", "dead": [strip]}).encode()})
    code, _ = simulated(tmp_path, more=more)
    err = capsys.readouterr().err
    assert code == 2
    assert line in err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("s.*parquet"))
