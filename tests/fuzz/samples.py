"""Small good inputs of every command, made once."""

from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import uproot

from muonkit.cli import main
from muonkit.io.tables import write_tables
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.shipped import CLASSIFIER, FILE
from tests.io import nano
from tests.muid.performance.toys import write_sample
from tests.run.killing import KLM

SPECIES = ("mu", "pi", "K", "p", "d", "e")
DIMUONS = """
[generate]
events = 3000
seed = 1
[spectrum]
pt_scale = 6.0
pt_power = 2.8
pt_min = 6.0
pt_max = 60.0
[bias]
eta_edges = [-2.4, 0.0, 2.4]
A = [5e-4, -5e-4]
e = [1e-3]
M = [0.0]
[resolution]
a = [0.011]
c = [1.3e-4]
[background]
fraction = 0.03
slope = -1.0
[selection]
scaled_pt_min = 3.5
"""
CALIBRATE = """
[input]
data = ["data.parquet"]
simulation = ["simulation.parquet"]
chunk_size = 1500
label = "Toy"
[resonance]
name = "jpsi"
window = [2.9, 3.3]
[selection]
scaled_pt_min = 4.0
[binning]
eta_edges = [-2.4, 2.4]
log_pt_ratio_bins = 2
cos_dphi_bins = 1
mass_bins = 50
[fit]
parameters = ["A"]
min_entries = 100
priors = { a = [0.01, 0.01] }
[template]
events = 5000
seed = 1
spectrum = { pt_scale = 6.0, pt_power = 2.8 }
resolution = { a = [0.011], c = [1.3e-4] }
"""
IDENTIFY = """
payload = "toy.npz"
classifier = "classifier.npz"
[input]
tracks = "{tracks}"
hits = "{hits}"
chunk_size = 10
[muid]
[likelihood]
mode = "improved"
"""
STORE = """
[input]
tracks = "mu.tracks.parquet"
hits = "mu.hits.parquet"
[conditions]
location = "store"
tag = "main"
channel_status = "KLMChannelStatus"
"""
PERFORMANCE = """
efficiencies = [0.8, 0.9]
min_muons = 20
[[input]]
identified = "a.identified.parquet"
truth = "a.truth.parquet"
[binning]
p = [0.5, 2, 5]
theta = [15, 90, 150]
phi = [-180, 0, 180]
roc_p = [0.5, 5]
cuts_p = [0.5, 5]
cuts_theta = [15, 150]
[[score]]
column = "p_mu"
[payload]
file = "toy.npz"
[drawing]
label = "Toy"
"""
EVALUATE = '[input]\nsamples = ["mu.parquet", "pi.parquet"]\n[evaluation]\ntoys = 10\np = [0.7, 5.0]\nunseen = false\n'
TRAIN = '[input]\nsamples = ["?.parquet", "??.parquet"]\n[training]\nepochs = 1\nwidth = 4\np = [0.6, 5.0]\n'
DETECTOR = """
schema = 1
name = "f"
title = "f"
envelope = { r = 90, z = [-90, 90] }
[field]
kind = "map_rz"
file = "field.txt"
[[layers]]
name = "p/{n:02d}"
shape = "plane"
distance = [10, 20, 30]
half_width = 25
span = [-25, 25]
resolution_um = [15, 25]
"""
TRACKER = """
schema = 1
name = "tracker"
title = "tracker"
envelope = { r = 60, z = [-80, 80] }
[field]
kind = "uniform"
B = [0, 0, 2]
[[layers]]
name = "B/{n}"
shape = "barrel"
radius = [4, 8, 12]
z = [-20, 20]
ladders = [10, 16, 20]
modules = 4
stagger = 0.3
material = "silicon"
thickness_um = 300
resolution_um = [15, 25]
[[layers]]
name = "S/{n}"
shape = "barrel"
radius = [25, 40]
z = [-50, 50]
ladders = [20, 30]
modules = 6
stagger = 0.3
gap = 0.4
stereo_mrad = 100
material = "silicon"
thickness_um = 500
resolution_um = [30]
"""
SIMULATE = """
[generate]
particle = "{particle}"
{number}
seed = 3
chunk_size = 20
[detector]
name = "tracker.toml"
"""
GUN = """
[gun]
pt = [3, 30]
eta = [-0.9, 0.9]
[vertex]
size = [0.001, 0.001, 1.0]
[physics]
energy_loss = "landau"
scattering = "tails"
[readout]
efficiency = 0.98
outliers = 0.01
[[distort]]
kind = "misalign"
layers = ["S/1/*"]
translation = [0.01, 0, 0]
"""
PAIRS = "[spectrum]\npt_scale = 6.0\npt_power = 2.8\npt_min = 6.0\n[selection]\neta_max = 0.9\nscaled_pt_min = 3.0\n"
REFIT = """
detector = "tracker.toml"
pairs = true
[input]
hits = "gun.hits.parquet"
truth = "gun.truth.parquet"
chunk_size = 200
max_failed_share = 0.05
[fit]
model = "improved"
energy_loss = "restricted"
iterations = 2
max_chi2 = 30.0
momentum = 10.0
hard = 0.03
"""
AUDIT = """
[audit]
models = ["standard"]
eta_edges = [-0.9, 0.0, 0.9]
phi_edges = [-3.2, 0.0, 3.2]
pt_edges = [3.0, 10.0, 30.0]
pt = [[3.0, 30.0]]
goal = 0.1
"""
STUDY = """
seed = 1
[detector]
name = "tracker.toml"
[[distort]]
kind = "field"
factor = 0.999
[jpsi]
events = 600
[z]
events = 300
scaled_pt_min = 20.0
[muons]
tracks = 60
pt = [[4, 6]]
[calibration]
eta_edges = [-0.9, 0.9]
parameters = ["A"]
min_entries = 50
log_pt_ratio_bins = 1
cos_dphi_bins = 1
[readout]
efficiency = 1.0
"""


def done(*arguments: str) -> None:
    """Run a command that must not be refused."""
    code = main(list(arguments))
    assert code in {0, 1}, (arguments, code)


def make(folder: Path) -> None:
    """Write all good inputs into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with chdir(folder):
        _texts()
        _dimuons()
        _klm()
        _tracks()
        _store()


def _texts() -> None:
    texts = {"dimuons": DIMUONS, "calibrate": CALIBRATE, "validate": CALIBRATE, "performance": PERFORMANCE}
    texts |= {name: KLM.format(particle=name, events=40) for name in SPECIES}
    texts |= {"evaluate": EVALUATE, "train": TRAIN, "detector": DETECTOR, "store": STORE}
    texts |= {
        f"identify-{kind}": IDENTIFY.format(tracks=f"mu.tracks.{kind}", hits=f"mu.hits.{kind}")
        for kind in ("parquet", "csv", "root")
    }
    samples = ", ".join(f'"{name}.parquet"' for name in SPECIES)
    texts["build"] = f"[input]\nsamples = [{samples}]\n[selection]\n[longitudinal]\n[transverse]\n"
    texts["template"] = CALIBRATE.replace('simulation = ["simulation.parquet"]\n', "")
    for kind in ("csv", "root"):
        texts[f"calibrate-{kind}"] = CALIBRATE.replace("data.parquet", f"data.{kind}")
    for name, text in texts.items():
        Path(f"{name}.toml").write_text(text)
    r, z = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 90, 4), np.linspace(-90, 90, 5), indexing="ij"))
    np.savetxt("field.txt", np.column_stack((r, z, 0 * r, 0 * r + 1.0)))


def _dimuons() -> None:
    for name, seed in (("data", 1), ("simulation", 2)):
        Path(f"{name}.toml").write_text(DIMUONS.replace("seed = 1", f"seed = {seed}"))
        done("simulate", "dimuons", f"{name}.toml", "-o", f"{name}.parquet")
    table = pq.read_table("data.parquet")
    columns = {name: table[name].to_numpy() for name in table.column_names}
    write_tables(Path("data.csv"), iter([columns]))
    write_tables(Path("data.root"), iter([columns]))
    few = {name: column[:40] for name, column in columns.items()}
    for kind in ("parquet", "csv", "root"):
        write_tables(Path(f"few.{kind}"), iter([few]))
    pc.write_csv(pa.table(_cms(few)), "cms.csv")
    nano.write(Path("nano.root"), nano.content())
    nano.write(Path("ntuple.root"), nano.content(), "RNTuple")
    done("calibrate", "calibrate.toml", "-o", "run")
    done("validate", "validate.toml", "--corrections", "run/corrections.json.gz", "-o", "validation")


def _cms(few: dict[str, Any]) -> dict[str, Any]:
    rows = len(few["plus_pt"])
    signed = {"Q1": np.ones(rows, int), "Q2": -np.ones(rows, int), "Run": few["run"], "Event": few["event"]}
    return signed | {
        f"{key}{n}": few[f"{s}_{key}"] for key in ("pt", "eta", "phi") for n, s in ((1, "plus"), (2, "minus"))
    }


def _tracks() -> None:
    texts = {"tracker": TRACKER, "refit": REFIT, "audit": REFIT.replace("pairs = true\n", "") + AUDIT, "study": STUDY}
    texts["gun"] = SIMULATE.format(particle="mu", number="tracks = 40") + GUN
    texts["pairs"] = SIMULATE.format(particle="jpsi", number="events = 20") + PAIRS
    for name, text in texts.items():
        Path(f"{name}.toml").write_text(text)
    done("simulate", "tracks", "gun.toml", "-o", "gun.parquet")


def _klm() -> None:
    import muonkit.muid as muid

    for name in SPECIES:
        done("simulate", "klm", f"{name}.toml", "-o", f"{name}.parquet")
    for kind in ("csv", "root"):
        done("simulate", "klm", "mu.toml", "-o", f"mu.{kind}")
    toy_payload().save(Path("toy.npz"))
    here = Path(muid.__file__).parent
    Path("classifier.npz").write_bytes((here / CLASSIFIER).read_bytes())
    Path("default.npz").write_bytes((here / FILE).read_bytes())
    write_sample(Path(), "a", 600, 1)
    for part in ("identified", "truth"):
        table = pq.read_table(f"a.{part}.parquet").to_pydict()
        numbers = {key: np.array(column) for key, column in table.items() if not isinstance(column[0], str)}
        pc.write_csv(pa.table(table), f"a.{part}.csv")
        with uproot.recreate(f"a.{part}.root") as file:
            numbers = {
                key: column.astype(float) if column.dtype == object else column for key, column in numbers.items()
            }
            file.mktree("Events", {key: column.dtype for key, column in numbers.items()}).extend(numbers)
    for kind in ("csv", "root"):
        Path(f"performance-{kind}.toml").write_text(
            PERFORMANCE.replace("identified.parquet", f"identified.{kind}").replace("truth.parquet", f"truth.{kind}")
        )


def _store() -> None:
    Path("status.json").write_text('{"schema": "KLMChannelStatus/1"}')
    done("conditions", "create", "store")
    done("conditions", "tag", "store", "main")
    for name, file in (("KLMLikelihoodParameters", "toy.npz"), ("KLMChannelStatus", "status.json")):
        done("conditions", "add", "store", name, file, "--schema", f"{name}/1")
        done("conditions", "tag", "store", "main", name, "1", "--iov", "0,0,-1,-1")
