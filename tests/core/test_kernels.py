"""How compiled kernels look: few arguments, and one meaning for a letter."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import muonkit
from muonkit.core import indices
from muonkit.data.tracks import FreeStates
from muonkit.transport import cartesian

SOURCE = Path(muonkit.__file__).parent
MOST_ARGUMENTS = 8
ROOMS = {
    "alignment/kernels/__init__.py": "alignment/kernels/*.py",
    "detector/kernels/__init__.py": "detector/kernels/*.py",
    "transport/kernels/__init__.py": "transport/kernels/*.py",
    "tracking/kernels/__init__.py": "tracking/kernels/*.py",
    "muid/swim/kernels/__init__.py": "muid/swim/kernels/*.py",
    "muid/likelihood/kernels.py": "muid/likelihood/kernels.py",
}
LETTER = re.compile(r"(?:^ *|  |, )([A-Za-z])(?=,|  )", re.MULTILINE)


def kernels(pattern):
    """Name and arguments of every compiled function of a room."""
    for path in SOURCE.glob(pattern):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                yield f"{path.name}: {node.name}", [argument.arg for argument in node.args.args]


def letters(head):
    """What the head of a room says that single letters mean."""
    return set(LETTER.findall(ast.get_docstring(ast.parse((SOURCE / head).read_text())) or ""))


@pytest.mark.parametrize("head", ROOMS)
def test_a_kernel_takes_few_arguments(head):
    assert [name for name, arguments in kernels(ROOMS[head]) if len(arguments) > MOST_ARGUMENTS] == []


@pytest.mark.parametrize("head", ROOMS)
def test_the_head_of_a_room_says_what_its_letters_mean(head):
    known = letters(head)
    unknown = {(name, one) for name, arguments in kernels(ROOMS[head]) for one in arguments if len(one) == 1}
    assert {(name, one) for name, one in unknown if one not in known} == set()


def test_free_states_have_their_parts_where_the_indices_say():
    states = FreeStates(np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 3.0, 4.0]]), np.array([-1.0]))
    free = cartesian.to_free(states)[0]
    assert free[indices.POSITION].tolist() == [1, 2, 3] == free[[indices.X, indices.Y, indices.Z]].tolist()
    assert free[indices.DIRECTION].tolist() == [0, 0.6, 0.8] == free[[indices.TX, indices.TY, indices.TZ]].tolist()
    assert free[indices.FREE_QOP] == -0.2


def test_a_curvilinear_covariance_has_its_parts_where_the_indices_say():
    states = FreeStates(np.zeros((1, 3)), np.array([[0.0, 2.0, 0.0]]), np.array([1.0]))  # u = z x y = -x, v = y x u = z
    free = cartesian.to_free(states)
    for coordinate, place, size in (
        (indices.X, indices.ALONG_U, 1.0),
        (indices.Z, indices.ALONG_V, 1.0),
        (indices.TX, indices.TO_U, 0.5),
        (indices.TZ, indices.TO_V, 0.5),
        (indices.TY, indices.QOP, 0.25),
    ):
        expected = np.zeros((5, 5))
        expected[place, place] = size**2
        variance = np.diag(np.eye(6)[coordinate])[None]
        np.testing.assert_allclose(cartesian.to_curvilinear(free, variance)[0], expected, atol=1e-15)
