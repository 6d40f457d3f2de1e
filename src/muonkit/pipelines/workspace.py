"""The folder of a run: whose it is, what is already there, and where unfinished work is kept."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muonkit.core.config import read_text
from muonkit.core.errors import InputError
from muonkit.core.files import write_text
from muonkit.core.provenance import state_of


@dataclass(frozen=True, slots=True)
class RunFolder:
    """OUT/ and its folder of unfinished parts, named by the configuration and the state of the input files."""

    out: Path
    parts: Path

    @property
    def state(self) -> str:
        """Names the configuration and the input files, as they are now."""
        return self.parts.name

    def finished(self, name: str) -> bool:
        """Whether the result file `name` is there and of this state: then there is nothing to do."""
        try:
            content: dict[str, Any] = json.loads((self.out / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(content["provenance"].get("state") == self.state)

    def finish(self) -> None:
        """The run is complete: its parts are not needed any more."""
        shutil.rmtree(self.out / ".parts", ignore_errors=True)


def claim(out: Path, config_text: str, inputs: Iterable[Path]) -> RunFolder:
    """Take OUT/ for this configuration. Raises InputError if it holds the run of another one."""
    kept = out / "config.toml"
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give a folder with -o")
    if kept.exists() and read_text(kept) != config_text:
        raise InputError(
            f"{out}: holds the run of another configuration ({kept}); choose another -o, or remove the folder"
        )
    write_text(kept, config_text)
    return RunFolder(out, out / ".parts" / state_of(config_text, inputs)[:16])
