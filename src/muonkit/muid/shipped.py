"""The payload that comes with the package, and the name by which it is called."""

from importlib.resources import as_file, files
from pathlib import Path

from muonkit.core.errors import InputError
from muonkit.muid.payload import LikelihoodParameters

DEFAULT = "default"
FILE = "default_payload.npz"


def default_payload() -> LikelihoodParameters:
    """Built by `muonkit pdfs build` from the fast simulation, see its provenance. Raises InputError if it is gone."""
    with as_file(files("muonkit.muid").joinpath(FILE)) as path:
        if not path.is_file():
            raise InputError("the payload that comes with muonkit is missing; install the package again")
        return LikelihoodParameters.load(path)


def payload_of(name: str, base: Path) -> LikelihoodParameters:
    """The default one by its name, or a file below `base`. Raises InputError if it cannot be read."""
    return default_payload() if name == DEFAULT else LikelihoodParameters.load(base / name)
