"""The folder of a run: whose it is, what is already there, and where unfinished work is kept.

OUT/.run.json is the record of the run: a digest of the configuration, and, once the run has ended, digests of all that
it wrote. What is not as the record says is made again."""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from muonkit.calibration.config import Calibrate
from muonkit.core.config import parse
from muonkit.core.errors import InputError
from muonkit.core.files import write_json, write_text
from muonkit.core.limits import parse_json, read_text
from muonkit.core.provenance import digest, digest_file, state_of
from muonkit.core.streams import say
from muonkit.run.checkpoint import STATE

CONFIG, RECORD, PARTS = "config.toml", ".run.json", ".parts"


@dataclass(frozen=True, slots=True)
class Record:
    """Digests of the configuration and, for a run that has ended, of its outputs by name; state: see `RunFolder`."""

    config_sha256: str
    state: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)

    def write(self, out: Path, name: str = RECORD) -> None:
        """Write OUT/.run.json, or the record called `name`, with a digest of itself."""
        content = asdict(self)
        write_json(out / name, content | {"sha256": _seal(content)})

    @classmethod
    def read(cls, out: Path, name: str = RECORD) -> "Record | None":
        """The record of OUT/, or that called `name`; None if there is none, or none that is whole."""
        try:
            content = parse_json(read_text(out / name), name)
            seal = content.pop("sha256")
            return cls(**content) if seal == _seal(content) else None
        except (InputError, AttributeError, KeyError, TypeError):
            return None

    def faults(self, out: Path) -> list[str]:
        """What is missing in OUT/, and what is not as it was written."""
        missing = [f"{name} is missing" for name in self.outputs if not (out / name).is_file()]
        there = {name: written for name, written in self.outputs.items() if (out / name).is_file()}
        differs = [name for name, written in there.items() if digest_file(out / name) != written]
        return missing + [f"{name} is not as it was written" for name in differs]


def _seal(content: Mapping[str, object]) -> str:
    return digest(json.dumps(content, sort_keys=True))


@dataclass(frozen=True, slots=True)
class RunFolder:
    """OUT/, its record, and its folder of unfinished parts, named by the configuration and the state of the input
    files."""

    out: Path
    parts: Path
    record: Record

    @property
    def state(self) -> str:
        """Names the configuration and the input files, as they are now."""
        return self.parts.name

    def finished(self, name: str) -> bool:
        """Whether the run of this state that writes `name` has ended, and all that it wrote is there: then there is
        nothing to do. One line on stderr names what is missing or was changed."""
        if self.record.state != self.state or name not in self.record.outputs:
            return False
        faults = self.record.faults(self.out)
        if faults:
            say(f"{self.out}: {', '.join(faults)}; the run is done again")
        return not faults

    def finish(self, names: Iterable[str]) -> None:
        """The run is complete: the files `names` are recorded, and its parts are not needed any more."""
        written = {name: digest_file(self.out / name) for name in (CONFIG, *names)}
        replace(self.record, state=self.state, outputs=written).write(self.out)
        shutil.rmtree(self.out / PARTS, ignore_errors=True)


def claim(out: Path, config_text: str, inputs: Iterable[Path]) -> RunFolder:
    """Take OUT/ for this configuration. Raises InputError if it holds the run of another one.

    A record or configuration that is empty or damaged is reported on stderr and written again."""
    record, kept = Record.read(out), out / CONFIG
    there = _content(kept)
    if _is_of_another(config_text, record, there):
        raise InputError(
            f"{out}: holds the run of another configuration ({kept}); choose another -o, or remove the folder"
        )
    if record is None:
        if there is not None or (out / RECORD).exists():
            say(f"{out}: the record of its run is missing or damaged; the run starts again")
        record = Record(digest(config_text))
        record.write(out)
    elif there is not None and there != config_text.encode():
        say(f"{kept}: is not as it was written; it is written again")
    if there != config_text.encode():
        write_text(kept, config_text)
    return RunFolder(out, out / PARTS / state_of(config_text, inputs)[:STATE], record)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _is_of_another(config_text: str, record: Record | None, there: bytes | None) -> bool:
    """Whether OUT/ is known to be of another configuration: by its record or, without one, by a whole config.toml."""
    if record is not None:
        return record.config_sha256 != digest(config_text)
    if there is None or config_text.encode().startswith(there):
        return False  # the same, or the part of it that was on the disk
    try:
        parse(there.decode(), Calibrate)
    except (InputError, UnicodeDecodeError):
        return False
    return True
