"""The section [likelihood]: which variant of the likelihood. The one set of defaults, by mode."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from muonkit.core.config import Section

FirstBin = Literal["faithful", "clamp", "power"]
LastLayer = Literal["faithful", "strict"]
Layers = Literal["independent", "correlated"]
JUNK = 1e-20  # on the sum of the six densities
FLOOR = 1e-5  # of the improved mode: an empty bin does not veto a hypothesis
IMPROVED = {
    "layers": "correlated",
    "last_layer": "strict",
    "first_bin": "power",
    "normalised": True,
    "floor": FLOOR,
    "keep_junk": True,
}


class LikelihoodSettings(Section):
    """mode: `faithful` does what the code of Muid does, `improved` what it should; it chooses the other keys where they
    are not given. Raises ValidationError for values that make no sense.

    layers: `independent` as in `longitudinal`, `correlated` as in `chain`; first_bin: see `transverse`; last_layer:
    `strict` counts every missing hit; normalised: densities of chi2 have the integral 1; floor: keeps probabilities
    from 0 and 1; keep_junk: junk tracks have likelihoods like all others, and the flag; junk: threshold on the sum of
    densities."""

    mode: Literal["faithful", "improved"] = "faithful"
    layers: Layers = "independent"
    first_bin: FirstBin = "faithful"
    last_layer: LastLayer = "faithful"
    normalised: bool = False
    floor: float = Field(0.0, ge=0, lt=0.5)
    keep_junk: bool = False
    junk: float = Field(JUNK, gt=0)

    @property
    def correlated(self) -> bool:
        """Whether the payload needs the tables of `chain`."""
        return self.layers == "correlated"

    @model_validator(mode="before")
    @classmethod
    def _chosen_by_mode(cls, content: Any) -> Any:
        improved = isinstance(content, dict) and content.get("mode") == "improved"
        return IMPROVED | content if improved else content

    @model_validator(mode="after")
    def _every_miss_counts(self) -> Self:
        if self.correlated and self.last_layer != "strict":
            raise ValueError('last_layer: must be "strict" where layers = "correlated", which counts every missing hit')
        return self
