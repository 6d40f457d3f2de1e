"""What this installation is made of, and whether its pieces work: the first thing to look at, and to report.

A check is a function that returns what it found, or raises; a fault in one never hides the others."""

import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import numpy as np

from muonkit.core import random
from muonkit.core.kinematics import MuonArrays, mass
from muonkit.core.plain import plain
from muonkit.core.result import Result, Status
from muonkit.core.units import MUON_MASS

EXTRAS = ("dask", "generators", "geant4", "classifier", "postgresql", "oracles")
PHILOX_1_2 = 0.2996269638247443  # the first number of stream(1, 2); another one means other simulated events
GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """A short test of this installation: whether it passed, and what it found."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class DoctorResult(Result):
    """Versions and machine, by name as they are shown, and the checks."""

    found: Mapping[str, Any]
    checks: tuple[DoctorCheck, ...]

    @property
    def status(self) -> Status:
        return "PASS" if all(check.ok for check in self.checks) else "ATTENTION"

    def report(self) -> str:
        lines = [f"{key:22} {value}" for key, value in self.found.items()]
        lines += [f"{check.name:22} {'ok' if check.ok else 'FAILED'}  {check.detail}" for check in self.checks]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        return {**self.found, "checks": plain(self.checks), "text": str(self), "exit_code": self.exit_code}


def examine() -> DoctorResult:
    """Versions, machine and checks. Never raises for a fault it finds."""
    found = {
        "muonkit": _installed("muonkit") or "not installed as a package",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": cores(),
        "memory_gb": _memory(),
        **dict(_dependencies()),
        **dict(_extras()),
    }
    return DoctorResult(found, tuple(_check(name, test) for name, test in CHECKS.items()))


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # containers and batch systems grant fewer than the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> float | None:
    """Memory of the machine [GB], where the system says it."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGABYTE, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _requirements(extra: str | None = None) -> Iterator[str]:
    """Names of the packages muonkit asks for, always or for one extra."""
    try:
        lines = requires("muonkit") or []
    except PackageNotFoundError:
        return
    for line in lines:
        marker = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", line)
        if (marker[1] if marker else None) == extra:
            yield re.split(r"[^\w.-]", line, maxsplit=1)[0]


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _dependencies() -> Iterator[tuple[str, str]]:
    for name in _requirements():
        yield name, _installed(name) or f"missing: pip install {name}"


def _extras() -> Iterator[tuple[str, str]]:
    for extra in EXTRAS:
        found = {name: _installed(name) for name in _requirements(extra)}
        if found and all(found.values()):
            yield f"extra {extra}", ", ".join(f"{name} {number}" for name, number in found.items())
        else:
            yield f"extra {extra}", f"not installed: pip install 'muonkit[{extra}]'"


def _check(name: str, test: Callable[[], str]) -> DoctorCheck:
    try:
        return DoctorCheck(name, True, test())
    except Exception as error:  # whatever breaks is what the user came to learn
        detail = " ".join(str(error).split())
        return DoctorCheck(name, False, f"{type(error).__name__}: {detail}")


def _check_dependencies() -> str:
    names = list(_requirements())
    missing = [name for name in names if _installed(name) is None]
    if missing or not names:
        raise RuntimeError(f"missing {', '.join(missing) or 'the metadata of muonkit'}. Run: pip install muonkit")
    return f"{len(names)} installed"


def _check_random() -> str:
    value = float(random.stream(1, 2).random())
    if value != PHILOX_1_2:
        raise RuntimeError(f"stream(1, 2) starts with {value!r} instead of {PHILOX_1_2!r}. Install another numpy.")
    return "Philox stream as recorded"


def _check_kinematics() -> str:
    """Two muons of 3 GeV back to back weigh 2 E."""
    one, zero = np.ones(1), np.zeros(1)
    found = float(mass(MuonArrays(3 * one, zero, zero), MuonArrays(3 * one, zero, np.pi * one))[0])
    expected = 2 * float(np.hypot(3, MUON_MASS))
    if abs(found / expected - 1) > 1e-12:
        raise RuntimeError(f"mass of a known pair is {found!r} GeV instead of {expected!r}. Install another numpy.")
    return f"mass of a known pair {found:.6f} GeV"


def _check_numba() -> str:
    from numba import njit

    if njit(_triangle)(10) != 45:
        raise RuntimeError("a compiled sum is wrong. Install another numba.")
    return "compiles"


def _triangle(n: int) -> int:
    total = 0
    for i in range(n):
        total += i
    return total


def _check_cache() -> str:
    from muonkit.core.compiled import cache_directory

    folder = cache_directory()
    if folder is None or not os.access(folder, os.W_OK):
        shown = folder or "the folder for caches"
        raise RuntimeError(f"{shown} cannot be written: kernels are compiled anew each time. Set NUMBA_CACHE_DIR.")
    return folder


def _check_corrections() -> str:
    """Write a formula as correctionlib JSON, read it back, evaluate it."""
    from correctionlib import CorrectionSet, schemav2

    pt = schemav2.Variable(name="pt", type="real")
    data = schemav2.Formula(nodetype="formula", expression="1+0.001*x", parser="TFormula", variables=["pt"])
    correction = schemav2.Correction(
        name="scale", version=1, inputs=[pt], output=schemav2.Variable(name="ratio", type="real"), data=data
    )
    text = schemav2.CorrectionSet(schema_version=2, corrections=[correction]).model_dump_json(exclude_unset=True)
    found = CorrectionSet.from_string(text)["scale"].evaluate(np.array([10.0, 40.0]))
    np.testing.assert_allclose(found, [1.01, 1.04], rtol=1e-12)
    return "written, read back and evaluated"


CHECKS: dict[str, Callable[[], str]] = {
    "dependencies": _check_dependencies,
    "random numbers": _check_random,
    "kinematics": _check_kinematics,
    "numba": _check_numba,
    "numba cache": _check_cache,
    "correctionlib": _check_corrections,
}
