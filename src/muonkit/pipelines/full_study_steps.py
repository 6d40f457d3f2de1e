"""A step of a study: one verb with a configuration of its own, done once.

What a step wrote is recorded with digests. It is done again if its configuration, its inputs or what it wrote has
changed."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from muonkit.core.errors import InputError
from muonkit.core.files import write_json, write_text
from muonkit.core.limits import parse_json, read_text
from muonkit.core.provenance import digest, digest_file, state_of
from muonkit.core.result import Result
from muonkit.core.streams import say
from muonkit.pipelines.workspace import Record
from muonkit.run.runner import Runner


@dataclass(frozen=True, slots=True)
class Told:
    """What a step said: its message and its text, and all that its verb gives as JSON."""

    message: str
    text: str
    content: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """`run` reads OUT/NAME.toml, which holds `config`, and `inputs`, and writes `outputs`, paths relative to OUT/.
    `more`: other files that it reads; `folder`: whether it writes into OUT/NAME/, a folder of its own."""

    name: str
    config: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    run: Callable[[Path, Path, Runner], Result]
    more: tuple[Path, ...] = ()
    folder: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """All that stands in OUT/ after the step."""
        return (f"{self.name}.toml", f"{self.name}.json", *self.outputs)

    def do(self, out: Path, runner: Runner) -> Told:
        """Run the step in OUT/, or return what it said if it is done. Raises what `run` raises."""
        state = state_of(self.config, self.more, *(_stamp(out, name) for name in self.inputs))
        record = self._record(out)
        if record.state == state and not self._faults(record, out):
            return Told(**parse_json(read_text(out / f"{self.name}.json"), self.name))
        write_text(out / f"{self.name}.toml", self.config)
        result = self._ran(out, runner)
        told = Told(result.message, result.report(), result.to_json())
        write_json(out / f"{self.name}.json", asdict(told))
        written = {name: digest_file(out / name) for name in self.files}
        replace(record, state=state, outputs=written).write(out, self._place)
        return told

    def _ran(self, out: Path, runner: Runner) -> Result:
        try:
            return self.run(out / f"{self.name}.toml", out, named(self.name, runner))
        except InputError as error:
            raise InputError(f"{self.name}: {fault}" for fault in error.faults) from None

    @property
    def _place(self) -> str:
        return f".{self.name}.run.json"

    def _record(self, out: Path) -> Record:
        """The record of the step; a new one for a configuration that has changed. Then what the old one wrote into its
        own folder is removed."""
        record = Record.read(out, self._place)
        if record is not None and record.config_sha256 == digest(self.config):
            return record
        if record is not None and self.folder:
            shutil.rmtree(out / self.name, ignore_errors=True)
        new = Record(digest(self.config))
        new.write(out, self._place)
        return new

    def _faults(self, record: Record, out: Path) -> list[str]:
        faults = record.faults(out)
        if faults:
            say(f"{out}: {', '.join(faults)}; {self.name} is done again")
        return faults


def _stamp(out: Path, name: str) -> str:
    """Name, size and time of a file in OUT/, which may be moved."""
    found = (out / name).stat()
    return f"{name} {found.st_size} {found.st_mtime_ns}"


def named(step: str, runner: Runner) -> Runner:
    """The runner, which names the step in its progress where the work does not."""
    return replace(
        runner, progress=lambda what, total: runner.progress(what if step in what else f"{step}: {what}", total)
    )
