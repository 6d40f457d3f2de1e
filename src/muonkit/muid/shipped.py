"""The payload and the classifier that come with the package, and the name by which they are called."""

from importlib.resources import as_file, files
from pathlib import Path

from muonkit.core.errors import InputError
from muonkit.muid.classifier.model import Classifier
from muonkit.muid.likelihood.payload import LikelihoodParameters

DEFAULT = "default"
FILE = "default_payload.npz"
CLASSIFIER = "default_classifier.npz"


def default_payload() -> LikelihoodParameters:
    """Built by `muonkit pdfs build` from the fast simulation, see its provenance. Raises InputError if it is gone."""
    with as_file(files("muonkit.muid").joinpath(FILE)) as path:
        if not path.is_file():
            raise InputError("the payload that comes with muonkit is missing; install the package again")
        return LikelihoodParameters.load(path)


def payload_of(name: str, base: Path) -> LikelihoodParameters:
    """The default one by its name, or a file below `base`. Raises InputError if it cannot be read."""
    return default_payload() if name == DEFAULT else LikelihoodParameters.load(base / name)


def classifier_of(name: str, base: Path) -> Classifier:
    """The classifier that comes with the package, or a file below `base`. Raises InputError if it cannot be read."""
    if name != DEFAULT:
        return Classifier.load(base / name)
    with as_file(files("muonkit.muid").joinpath(CLASSIFIER)) as path:
        return Classifier.load(path)
