"""Magnetic fields: models as NumPy classes, each with a twin in `detector.kernels`, and the TOML sections for them.

    Uniform, Solenoid            closed form; the solenoid is a finite current sheet, exact
    Harmonic, cms_like           Gaussians on the axis and their Maxwell series; sheet + series as in CMS
    Parametrised                 the published CMS form, to second order in r: not Maxwellian
    MapRZ, MapXYZ                grids, linear or cubic; `sampled` fills them from any other field
    KLMIron                      piecewise linear in the plates of a yoke
    Sum, Scaled, Confined        fields made of fields

Every `Field` has `value`, `gradient`, `inside` at points (n, 3) and `arrays()` for the compiled `kernels.field`."""

from muonkit.detector.fields.base import Axisymmetric, Field
from muonkit.detector.fields.combine import Box, Confined, Correction, Cylinder, Scaled, Sum
from muonkit.detector.fields.harmonic import Gaussian, Harmonic, Parametrised, cms_like
from muonkit.detector.fields.iron import Barrel, Endcap, KLMIron
from muonkit.detector.fields.iron_tables import read_iron
from muonkit.detector.fields.maps import MapRZ, MapXYZ
from muonkit.detector.fields.sections import FieldSection, build_field
from muonkit.detector.fields.sheet import Solenoid, Uniform
from muonkit.detector.kernels import FieldArrays

__all__ = [
    "Axisymmetric",
    "Barrel",
    "Box",
    "Confined",
    "Correction",
    "Cylinder",
    "Endcap",
    "Field",
    "FieldArrays",
    "FieldSection",
    "Gaussian",
    "Harmonic",
    "KLMIron",
    "MapRZ",
    "MapXYZ",
    "Parametrised",
    "Scaled",
    "Solenoid",
    "Sum",
    "Uniform",
    "build_field",
    "cms_like",
    "read_iron",
]
