"""Whether the numbers of a map can be a magnetic field in tesla: what files get wrong is the unit, fill values where
nothing was computed, and the order of the columns."""

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.core.errors import InputError
from muonkit.detector.bounds import MOST_FIELD, MOST_LENGTH
from muonkit.detector.fields.files import Table

FILLS = (-999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0)
FEW = 0.5  # of the nodes: what is too large at fewer of them is a fill value, not a unit
ON_AXIS = 0.1  # of the largest field: more is no radial field on the axis
FACTORS = (0.1, 10.0)  # of a map of factors around 1


def in_units(table: Table, length: float, field: float) -> Table:
    """The table in cm and tesla; `length` [cm] and `field` [T] are its units. Unchanged if both are 1."""
    axes = table.axes if length == 1 else tuple(axis * length for axis in table.axes)
    return Table(axes, table.values if field == 1 else table.values * field)


def check_values(given: Table, table: Table, factor: float) -> None:
    """`given` as in the file, `table` in cm and tesla. Raises InputError if lengths or fields are too large, or if fill
    values stand among the fields."""
    reach = max(float(np.max(np.abs(axis))) for axis in table.axes)
    if reach > MOST_LENGTH:
        raise InputError(f"reaches {reach:g} cm; give lengths in cm, or say length_unit")
    with np.errstate(over="ignore"):
        size = np.sqrt(np.sum(np.square(table.values), axis=-1)) * abs(factor)
    filled = np.any(np.isin(given.values, FILLS), axis=-1)
    large = size > MOST_FIELD
    if filled.any() or (large.any() and np.mean(large) < FEW * np.mean(size > 0)):
        raise InputError(_told(given, filled | large))
    if large.any():
        most = float(size.max())
        raise InputError(
            f'|B| reaches {most:g} T, more than {MOST_FIELD:g} T; if the file has gauss, say field_unit = "gauss" '
            '(or "kG", "mT")'
        )


def _told(given: Table, wrong: BoolArray) -> str:
    at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    node = ", ".join(f"{axis[i]:g}" for axis, i in zip(given.axes, at, strict=True))
    values = ", ".join(f"{value:g}" for value in given.values[at])
    return (
        f"{int(np.sum(wrong))} of {wrong.size} nodes look like fill values, first ({values}) at ({node}); "
        "put the field there, or cut the map before them"
    )


def check_axis(table: Table, factor: float) -> None:
    """Of a map in (r, z). Raises InputError if r is negative or if Br does not vanish on the axis."""
    r, values = table.axes[0], table.values
    if r[0] < 0:
        raise InputError(f"r begins at {r[0]:g}; a radius is not negative. Is the order of the columns r z Br Bz?")
    most, axis = _most(values) * abs(factor), _most(values[0, :, 0]) * abs(factor)
    if r[0] == 0 and axis > ON_AXIS * most:
        raise InputError(f"Br is {axis:g} T on the axis, where it has to be 0; are Br and Bz swapped?")


def _most(values: FloatArray) -> float:
    return float(np.max(np.abs(values)))


def check_factors(table: Table) -> None:
    """Raises InputError if a factor is not around 1."""
    low, high = float(table.values.min()), float(table.values.max())
    if low < FACTORS[0] or high > FACTORS[1]:
        raise InputError(f"factors from {low:g} to {high:g}; give factors around 1, no fill values")
