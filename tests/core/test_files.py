"""Files appear whole or not at all, also when the power fails; names of files stay in their folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from muonkit.core import files
from muonkit.core.errors import InputError


def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, order = tmp_path / "x.json", []
    real = files.synchronise

    def watched(path: Path) -> None:
        order.append((path == tmp_path, target.exists()))
        real(path)

    monkeypatch.setattr(files, "synchronise", watched)
    files.write_text(target, "content")
    assert order == [(False, False), (True, True)]


def test_synchronise_reaches_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    files.write_text(tmp_path / "x", "content")
    assert len(calls) == 2


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from muonkit.core.files import atomic\n"
        "with atomic(Path(sys.argv[1])) as t:\n t.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    files.write_text(tmp_path / "y", "another file")
    assert len(list(tmp_path.iterdir())) == 2
    files.write_text(tmp_path / "x", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "y"]


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / f".{files.HOST}.{os.getppid()}.x"
    other.write_text("in work")
    files.write_text(tmp_path / "x", "mine")
    assert other.exists()


@pytest.mark.parametrize("name", ["", ".", "..", " .. ", "a/b", "../a", "a\\b", "a\nb", "a\x00b", "x" * 201])
def test_a_name_that_would_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"detector: .* cannot be the name of a file"):
        files.plain_name(name, "detector")


@pytest.mark.parametrize("name", ["belle2", "my detector (v2)", "a.b", "µ"])
def test_an_ordinary_name_is_kept(name: str) -> None:
    assert files.plain_name(name, "detector") == name


def test_the_same_content_gives_the_same_compressed_bytes(tmp_path: Path) -> None:
    files.write_gzip(tmp_path / "a.gz", b"content" * 100)
    files.write_gzip(tmp_path / "b.gz", b"content" * 100)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_an_output_that_is_an_input_or_a_folder_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.toml"
    source.write_text("x")
    (tmp_path / "link").symlink_to(source)
    for out in (source, tmp_path / "link"):
        with pytest.raises(InputError, match="own input"):
            files.check_output(out, [tmp_path / "absent", source])
    with pytest.raises(InputError, match="is a folder"):
        files.check_output(tmp_path)
