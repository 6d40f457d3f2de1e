"""One case: a folder with good files, one of them with mistakes; a command; what must hold afterwards."""

import io
import os
import random
import shutil
import traceback
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout, suppress
from fnmatch import fnmatch
from pathlib import Path

from tests.fuzz.damage import damage
from tests.fuzz.kinds import Kind

from muonkit.cli import main

LONGEST_LINE, MOST_LINES = 2000, 200
State = dict[str, tuple[int, int]]


class Box:
    """The folder of a kind. It is below two others, so that `../..` is in reach of the check."""

    def __init__(self, kind: Kind, good: Path, place: Path) -> None:
        self.kind, self.place, self.box = kind, place, place / "a" / "b"
        shutil.rmtree(place, ignore_errors=True)
        self.box.mkdir(parents=True)
        _copy(good, self.box, f"{kind.argv} {kind.wrong} {kind.needs}")
        if kind.before is not None:
            with chdir(self.box), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
                kind.before()
        self.kept = place.parent / f"{place.name}.kept"
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.box, self.kept)
        self.state = self.now()
        self.targets = sorted(path for name in kind.wrong.split() for path in self.box.glob(name) if path.is_file())
        assert self.targets, kind

    def now(self) -> State:
        """Size and time of every file; of folders, that they are there."""
        found: State = {}
        for folder, folders, files in os.walk(self.place):
            for name in files:
                with suppress(OSError):
                    seen = os.lstat(os.path.join(folder, name))
                    found[os.path.join(folder, name)] = seen.st_size, seen.st_mtime_ns
            found |= {os.path.join(folder, name): (0, 0) for name in folders}
        return found

    def run(self, seed: str) -> tuple[int, str]:
        """Exit code of one case, and what is wrong with it; nothing if all is in order."""
        dice = random.Random(seed)
        target = dice.choice(self.targets)
        damage(target, dice, self.kind.most)
        before = self.now()
        code, err, fault = self._command()
        after = self.now()
        fault = fault or faults_of(code, err) or self._outside(before, after) or self._left(code)
        self.restore(after)
        return code, f"{target.relative_to(self.box)}: {fault}" if fault else ""

    def _command(self) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with chdir(self.box), redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            try:
                code, fault = main(self.kind.argv.split()), ""
            except BaseException as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                own = [f for f in traceback.extract_tb(error.__traceback__) if "/muonkit/" in f.filename][-1:] or [last]
                code = -1
                fault = f"{type(error).__name__}: {str(error)[:300]} ({Path(own[0].filename).name}:{own[0].lineno})"
        if not fault and seen:
            where = f"{Path(seen[0].filename).name}:{seen[0].lineno}"
            fault = f"warning: {seen[0].category.__name__}: {str(seen[0].message)[:200]} ({where})"
        return code, err.getvalue(), fault

    def _outside(self, before: State, after: State) -> str:
        """Files that a command changed or made where it must not."""
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        names = {os.path.relpath(path, self.box) for path in changed}
        allowed = ["out", "out/*", *self.kind.writes.split()]
        bad = [name for name in names if not any(fnmatch(name, pattern) for pattern in allowed)]
        return f"changed {', '.join(sorted(bad)[:3])}" if bad else ""

    def _left(self, code: int) -> str:
        """Outputs of a command that refused its input."""
        argv = self.kind.argv.split()
        out = self.box / argv[argv.index("-o") + 1] if "-o" in argv else None
        own = [path for path in self.box.rglob(f".*.{os.getpid()}.*")]
        if own:
            return f"left {own[0].name}"
        return f"left {out.name} after code {code}" if code == 2 and out and out.is_file() else ""

    def restore(self, after: State) -> None:
        """All files as they were."""
        for path in sorted(after.keys() - self.state.keys(), reverse=True):
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
        for path in self.state:
            seen = os.stat(path) if os.path.exists(path) else None
            kept = self.kept / os.path.relpath(path, self.box)
            if os.path.commonpath((path, self.box)) != str(self.box) or kept.is_dir():
                os.makedirs(path, exist_ok=True)
            elif seen is None or (seen.st_size, seen.st_mtime_ns) != self.state[path]:
                shutil.copy2(kept, path)


def faults_of(code: int, err: str) -> str:
    """What is wrong with an exit code and the lines on stderr."""
    lines = err.splitlines()
    if code not in {0, 1, 2}:  # nothing stops a case but lack of memory
        return f"exit code {code}: {err[-300:]}"
    if code == 2 and not lines:
        return "refused without a line"
    if len(lines) > MOST_LINES:
        return f"{len(lines)} lines"
    bad = [line for line in lines if not line.isprintable() or len(line) > LONGEST_LINE or "Traceback" in line]
    return f"line {bad[0][:300]!r}" if bad else ""


def _copy(good: Path, box: Path, names: str) -> None:
    for name in names.split():
        for path in good.glob(name):
            if path.is_file():
                to = box / path.relative_to(good)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, to)

