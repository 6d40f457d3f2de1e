"""No command overwrites what it reads, however the path of the output is spelled, and no two outputs share a name."""

import argparse
import os
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from tests.calibration import rochester_files
from tests.muid.performance.toys import TOY, write_sample
from tests.pipelines.conftest import CALIBRATE, simulate
from tests.pipelines.identifying import prepared, write

from muonkit.api import create_store
from muonkit.calibration import export
from muonkit.calibration.bias import Bias
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.parameters import ParameterValues
from muonkit.calibration.resolution import Resolution
from muonkit.calibration.schema import Content
from muonkit.cli import main, parser
from muonkit.conditions.iov import IoV

SAMPLE = '[generate]\nevents = 20\nseed = 5\n[gun]\nparticle = "{0}"\np = [0.7, 4.0]\ntheta = [0.5, 2.4]\n'
SAMPLES = '[input]\nsamples = ["mu.parquet", "pi.parquet"]\n'
GUN = "[gun]\npt = [5.0, 9.0]\neta = [-1.0, 1.0]\n"
TRACKS = f'[generate]\nparticle = "mu"\ntracks = 5\n{GUN}[detector]\nname = "cms_like_layers"\n'
REFIT = 'detector = "cms_like_layers"\n[input]\nhits = "muons.hits.parquet"\ntruth = "muons.truth.parquet"\n'
ALIGN = 'detector = "cms_like_layers"\n[input]\nhits = "muons.hits.parquet"\n'
KLM = "KLMLikelihoodParameters"

FILES = {  # command without -o: inputs that a file of this ending must not replace
    "simulate dimuons data.parquet.toml": (".parquet", ["data.parquet.toml"]),
    "apply corrections.json.gz data.parquet": (".parquet", ["data.parquet", "corrections.json.gz"]),
    "convert rochester.txt": (".json.gz", ["rochester.txt"]),
    "identify identify.toml": (
        ".parquet",
        ["tracks.parquet", "hits.parquet", "toy.npz", "identify.toml", "detector.toml"],
    ),
    "identify stored.toml": (".csv", ["store/conditions.sqlite", "stored.toml"]),
    "identify identify.toml --explain 0:0": (".png", ["identify.toml", "tracks.parquet", "toy.npz"]),
    "pdfs export toy.npz": (".txt", ["toy.npz"]),
    "pdfs import dump.txt": (".npz", ["dump.txt"]),
    "pdfs build pdfs.toml": ("", ["pdfs.toml", "mu.tracks.parquet", "pi.truth.parquet", "mu.json"]),
    "classifier train pdfs.toml": ("", ["pdfs.toml", "mu.hits.parquet", "pi.json"]),
    "classifier evaluate pdfs.toml --model toy.npz": ("", ["pdfs.toml", "toy.npz", "mu.truth.parquet"]),
    f"conditions get store main {KLM} --experiment 0 --run 0": ("", ["store/conditions.sqlite"]),
    "benchmark score bench toy.parquet": (".json", ["toy.parquet", "bench/manifest.json", "bench/truth/truth.parquet"]),
    "refit refit.toml": (".parquet", ["refit.toml", "muons.hits.parquet", "muons.truth.parquet"]),
}
FOLDERS = {  # command without -o: a name in the folder that it writes, and an input that has this name
    "simulate klm klm.toml": ("k.json", "klm.toml"),
    "simulate tracks muons.toml": ("k.hits.parquet", "muons.toml"),
    "calibrate calibrate.toml": ("cells.parquet", "data.parquet"),
    "validate calibrate.toml --corrections corrections.json.gz": ("masses.json.gz", "corrections.json.gz"),
    "performance performance.toml": ("performance.html", "performance.toml"),
    "detector show detector.toml": ("belle2-rz.png", "detector.toml"),
    "compare corrections.json.gz rochester.txt": ("comparison.txt", "rochester.txt"),
    "conditions draw channels.toml": ("KLMChannelStatus.json", "channels.toml"),
    "study study.toml": ("study.json", "study.toml"),
    "align align.toml": ("corrections.json", "align.toml"),
}
NOT_WRITTEN_BESIDE_INPUT = {"open-data fetch", "benchmark muid"}  # read nothing from the disk
DETECTOR = Path(__file__).parents[2] / "src" / "muonkit" / "detector" / "descriptions"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder with the inputs of all commands."""
    folder: Path = prepared(tmp_path_factory.mktemp("outputs"))
    shutil.copy(DETECTOR / "belle2.toml", folder / "detector.toml")
    write(folder, payload='payload = "toy.npz"\ndetector = "detector.toml"')
    simulate(folder, "data.parquet", events=2000)
    shutil.copy(folder / "data.parquet", folder / "simulation.parquet")
    (folder / "calibrate.toml").write_text(CALIBRATE)
    (folder / "channels.toml").write_text("seed = 1\n")
    (folder / "study.toml").write_text("[jpsi]\nevents = 10\n")
    bias, resolution = Bias(*np.zeros((3, 4))), Resolution(*np.full((4, 4), 1e-3))
    edges = np.array([-2.4, -1.2, 0.0, 1.2, 2.4])
    values = ParameterValues(bias, resolution)
    content = Content({"nominal": values}, values, MuonBins(edges), np.tile([3.0, 20.0], (4, 1)))
    export.write(folder / "corrections.json.gz", content)
    rochester_files.write(folder / "rochester.txt")
    for name in ("mu", "pi"):
        (folder / "klm.toml").write_text(SAMPLE.format(name))
        assert main(["simulate", "klm", str(folder / "klm.toml"), "-o", str(folder / f"{name}.parquet")]) == 0
    (folder / "muons.toml").write_text(TRACKS)
    assert main(["simulate", "tracks", str(folder / "muons.toml"), "-o", str(folder / "muons.parquet")]) == 0
    (folder / "refit.toml").write_text(REFIT)
    (folder / "align.toml").write_text(ALIGN)
    (folder / "pdfs.toml").write_text(SAMPLES)
    assert main(["pdfs", "export", str(folder / "toy.npz"), "-o", str(folder / "dump.txt")]) == 0
    assert main(["benchmark", "muid", "-o", str(folder / "bench"), "--events", "60"]) == 0
    shutil.copy(folder / "bench" / "tracks.parquet", folder / "toy.parquet")
    with create_store(folder / "store") as store:
        store.add(KLM, TOY.to_bytes(), f"{KLM}/1")
        store.create_tag("main")
        store.tag("main", KLM, 1, IoV(0, 0))
    write(folder, "stored.toml", payload="", more='[conditions]\nlocation = "store"\ntag = "main"')
    write_sample(folder, "a", 500, 1)
    text = '[[input]]\nidentified = "a.identified.parquet"\ntruth = "a.truth.parquet"\n'
    (folder / "performance.toml").write_text(text)
    return folder


@pytest.fixture(autouse=True)
def there(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """That folder as the working directory; its files are as they were in the end, and nothing new was left."""
    before = content(made)
    monkeypatch.chdir(made)
    yield
    for link in made.glob("link*"):
        shutil.rmtree(link) if link.is_dir() and not link.is_symlink() else link.unlink()
    assert content(made) == before


def content(folder: Path) -> dict[str, str]:
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def spellings(path: str, ending: str) -> list[str]:
    """Other names of a file, with an ending that the command accepts."""
    link, twin = f"link-soft{ending}", f"link-hard{ending}"
    Path(link).symlink_to(path)
    os.link(path, twin)
    dotted = [path, f"./{path}", f"store/../{path}", str(Path(path).absolute())]
    return [link, twin, *(dotted if path.endswith(ending) else [])]


def refused(capsys: pytest.CaptureFixture[str], command: str, out: str) -> str:
    assert main([*command.split(), "-o", out]) == 2, command
    return capsys.readouterr().err


@pytest.mark.parametrize(("command", "ending", "victim"), [(c, e, v) for c, (e, all_) in FILES.items() for v in all_])
def test_a_file_that_is_read_is_not_the_output(
    capsys: pytest.CaptureFixture[str], command: str, ending: str, victim: str
) -> None:
    for out in spellings(victim, ending):
        assert "would overwrite its own input" in refused(capsys, command, out), out


@pytest.mark.parametrize("command", FOLDERS)
@pytest.mark.parametrize("link", ["hard", "soft"])
def test_a_file_that_is_read_is_not_one_of_many_outputs(
    capsys: pytest.CaptureFixture[str], command: str, link: str
) -> None:
    name, victim = FOLDERS[command]
    Path("link").mkdir()
    (os.link if link == "hard" else os.symlink)(Path(victim).absolute(), Path("link", name))
    out = "link/k.parquet" if command.startswith("simulate ") else "link"
    assert f"link/{name}: would overwrite its own input" in refused(capsys, command, out)
    assert len(list(Path("link").iterdir())) == 1


def test_a_journal_or_a_payload_of_the_store_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    for out in ("store/conditions.sqlite-journal", "store/payloads/new", "store/payloads/ab/cd"):
        command = f"conditions get store main {KLM} --experiment 0 --run 0"
        assert "would overwrite its own input" in refused(capsys, command, out)


def test_a_payload_and_the_page_about_it_have_two_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert "p.html: is the name of two outputs" in refused(capsys, "pdfs build pdfs.toml", "p.html")


@pytest.mark.parametrize("command", [c for c in FILES if not c.startswith("identify identify.toml --explain")])
def test_a_folder_is_not_replaced_by_a_file(capsys: pytest.CaptureFixture[str], command: str) -> None:
    out = f"link{FILES[command][0] or '.parquet'}"
    Path(out).mkdir()
    assert f"{out}: is a folder; give the name of a file" in refused(capsys, command, out)


@pytest.mark.parametrize("column", ["../../escape", "a/b", "/tmp/x", "..", "x\\ny"])
def test_the_name_of_a_score_stays_in_the_folder(capsys: pytest.CaptureFixture[str], column: str) -> None:
    config = Path("link.toml")
    config.write_text(Path("performance.toml").read_text() + f'[[score]]\ncolumn = "{column}"\n')
    assert "score.column: " in refused(capsys, "performance link.toml", "link-out")


def commands(of: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """All commands of the command line, by name."""
    below = [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for word, one in action.choices.items():
            yield from commands(one, f"{name} {word}".strip())
    if not below:
        yield name, of


def test_every_command_that_writes_is_tried_here() -> None:
    writing = {name for name, one in commands(parser()) if "-o" in one._option_string_actions}
    tried = {name for name in writing if any(f"{command} ".startswith(f"{name} ") for command in (*FILES, *FOLDERS))}
    assert writing - tried == NOT_WRITTEN_BESIDE_INPUT
