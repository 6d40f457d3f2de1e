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

from muonkit.cli import main
from tests.fuzz.damage import damage
from tests.fuzz.kinds import Kind

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
        code, err, fault = self._command()  # compiles kernels too
        assert code in kind.good, (kind, code, err, fault)
        self.restore(self.now())
        self.targets = sorted(path for name in kind.wrong.split() for path in self.box.glob(name) if path.is_file())
        assert self.targets, kind

    def now(self) -> State:
        """Size and time of every file; of folders, that they are there."""
        found: State = {}
        for path in self.place.rglob("*"):
            with suppress(OSError):
                seen = path.lstat()
                found[str(path)] = (0, 0) if path.is_dir() else (seen.st_size, seen.st_mtime_ns)
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
        own = list(self.box.rglob(f".*.{os.getpid()}.*"))
        if own:
            return f"left {own[0].name}"
        return f"left {out.name} after code {code}" if code == 2 and out and out.is_file() else ""

    def restore(self, after: State) -> None:
        """All files as they were."""
        for path in map(Path, sorted(after.keys() - self.state.keys(), reverse=True)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        lost = [Path(path) for path in self.state if after.get(path) != self.state[path]]
        for path in sorted(lost):
            kept = self.kept / path.relative_to(self.box)
            if kept.is_dir():
                path.mkdir(exist_ok=True)
            else:
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
