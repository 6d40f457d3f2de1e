"""The doctor sees what is there, and names what is not with the way to mend it."""

import json
import sys
from importlib.metadata import PackageNotFoundError, version

import pytest

from muonkit.pipelines import doctor


@pytest.fixture(scope="module")
def found():
    return doctor.examine()


def check(name):
    return doctor._check(name, doctor.CHECKS[name])


def without(monkeypatch, *missing):
    def told(package):
        if package in missing:
            raise PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(doctor, "version", told)


def test_a_sound_installation_passes_every_check(found):
    assert [entry for entry in found.checks if not entry.ok] == []
    assert found.status == "PASS"
    assert {entry.name for entry in found.checks} == set(doctor.CHECKS)


def test_the_result_is_json(found):
    assert json.loads(json.dumps(found.to_json(), allow_nan=False)) == found.to_json()


def test_versions_are_those_installed(found):
    for package in ("muonkit", "numpy", "numba", "correctionlib"):
        assert found.found[package] == version(package)
    assert found.found["python"] == sys.version.split()[0]


def test_the_machine_is_described(found):
    assert found.found["cores"] >= 1
    assert found.found["memory_gb"] is None or found.found["memory_gb"] > 0.1


def test_tools_of_the_developers_are_not_listed(found):
    assert "ruff" not in found.found
    assert "extra dev" not in found.found


@pytest.mark.parametrize("extra", doctor.EXTRAS)
def test_every_extra_is_known_to_the_package(extra):
    assert list(doctor._requirements(extra))


def test_a_missing_extra_is_no_fault_and_comes_with_the_way_to_install_it(monkeypatch):
    without(monkeypatch, "distributed")
    assert dict(doctor._extras())["extra dask"] == "not installed: pip install 'muonkit[dask]'"
    assert check("dependencies").ok


def test_a_missing_dependency_is_a_fault(monkeypatch):
    without(monkeypatch, "uproot")
    assert dict(doctor._dependencies())["uproot"] == "missing: pip install uproot"
    assert check("dependencies") == doctor.DoctorCheck(
        "dependencies", False, "RuntimeError: missing uproot. Run: pip install muonkit"
    )


def test_other_random_numbers_are_noticed(monkeypatch):
    monkeypatch.setattr(doctor, "PHILOX_1_2", 0.5)
    assert "instead of 0.5" in check("random numbers").detail


def test_a_broken_package_fails_its_check_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "correctionlib", None)
    found = doctor.examine()
    assert [entry.name for entry in found.checks if not entry.ok] == ["correctionlib"]
    assert (found.status, found.exit_code) == ("ATTENTION", 1)
    assert "correctionlib          FAILED" in str(found)


def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    entry = check("numba cache")
    assert not entry.ok
    assert "Set NUMBA_CACHE_DIR" in entry.detail


def test_a_fault_is_told_in_one_line():
    def broken():
        raise ValueError("first\n  second")

    assert doctor._check("x", broken).detail == "ValueError: first second"
