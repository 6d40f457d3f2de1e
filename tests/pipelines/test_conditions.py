"""Every file that muonkit writes for other runs is a payload of one schema, and of no other."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.conftest import Run

from muonkit import InputError, create_store, open_store
from muonkit.muid import shipped
from muonkit.muid.performance import cuts_file
from muonkit.muid.performance.cuts import CutTable
from muonkit.pipelines.payload_schemas import PAYLOAD_SCHEMAS

ALSO = {"MuonCorrections/1": {"CorrectionSet/2"}, "MuonIDCuts/1": {"CorrectionSet/2"}}


@pytest.fixture(scope="module")
def contents(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A good content of each schema."""
    cuts = tmp_path_factory.mktemp("cuts") / "cuts.json.gz"
    one, number = np.ones((1, 1)), np.ones((1, 1), dtype=np.int64)
    table = CutTable(0.9, np.array([0.5, 5.0]), np.array([15.0, 150.0]), one, one, number, one, number)
    cuts_file.write(cuts, [table], "mu", "pi")
    here = Path(shipped.__file__).parent
    bare = json.dumps({"schema_version": 2, "corrections": [{"name": "x", "version": 1, "inputs": [
        {"name": "eta", "type": "real"}], "output": {"name": "y", "type": "real"}, "data": 1.0}]})  # fmt: skip
    return {
        "KLMLikelihoodParameters/1": (here / shipped.FILE).read_bytes(),
        "MuonClassifier/2": (here / shipped.CLASSIFIER).read_bytes(),
        "KLMChannelStatus/1": b'{"schema": "KLMChannelStatus/1"}',
        "KLMStripEfficiency/1": b'{"schema": "KLMStripEfficiency/1"}',
        "MuonIDCuts/1": cuts.read_bytes(),
        "MuonCorrections/1": (run.out / "corrections.json.gz").read_bytes(),
        "MuonCalibration/1": (run.out / "calibration.json").read_bytes(),
        "CorrectionSet/2": bare.encode(),
        "Detector/1": (here.parent / "detector" / "descriptions" / "telescope.toml").read_bytes(),
    }


def test_a_file_is_kept_under_its_own_schema_only(contents: dict[str, bytes], tmp_path: Path) -> None:
    assert contents.keys() == PAYLOAD_SCHEMAS.readers.keys()
    with create_store(tmp_path) as store:
        for own, content in contents.items():
            for schema in contents.keys() - {own} - ALSO.get(own, set()):
                with pytest.raises(InputError, match=f"schema {schema}: payload a: "):
                    store.add("a", content, schema)
            store.add("a", content, own)
        assert len(store.payloads()) == len(contents)
    with open_store(tmp_path) as store:
        assert store.check() == []


def test_half_a_file_is_refused(contents: dict[str, bytes], tmp_path: Path) -> None:
    with create_store(tmp_path) as store:
        for schema, content in contents.items():
            with pytest.raises(InputError, match=f"schema {schema}: payload a: "):
                store.add("a", content[: len(content) // 2], schema)
        assert store.payloads() == []
