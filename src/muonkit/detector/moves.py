"""Surfaces that are moved and turned, one by one or as bodies. The formulas are those of `distort`."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.detector.surfaces import SurfaceArrays

ENDS = {"ladder": re.compile("/module "), "layer": re.compile("/(ladder|ring) ")}
"""Where the name of a body ends in the name of a module; a surface that is no module is a body of its own."""


class Moves(NamedTuple):
    """rows (m,): numbers of surfaces; turn (m, 3, 3) and shift (m, 3) [cm] of each, or (3, 3) and (3,) of all."""

    rows: IntArray
    turn: FloatArray
    shift: FloatArray


def bodies(names: tuple[str, ...], level: str, rows: Iterable[int] | None = None) -> list[str]:
    """The name of the body that every surface (or every one of `rows`) belongs to: "ladder", "layer", or "surface"."""
    chosen = names if rows is None else [names[row] for row in rows]
    return [ENDS[level].split(name)[0] for name in chosen] if level in ENDS else list(chosen)


def in_own_frames(surfaces: SurfaceArrays, moves: Moves) -> SurfaceArrays:
    """c -> c + A^T t, A -> R^T A."""
    rows, turn, shift = moves
    center, axes = surfaces.center.copy(), surfaces.axes.copy()
    one = shift.ndim == 1
    center[rows] += np.einsum("nij,i->nj" if one else "nij,ni->nj", axes[rows], shift)
    axes[rows] = np.einsum("ki,nkj->nij" if one else "nki,nkj->nij", turn, axes[rows])
    return surfaces._replace(center=center, axes=axes)


def about_the_origin(surfaces: SurfaceArrays, moves: Moves) -> SurfaceArrays:
    """c -> R c + t, A -> A R^T."""
    rows, turn, shift = moves
    center, axes = surfaces.center.copy(), surfaces.axes.copy()
    back = np.swapaxes(turn, -1, -2)
    alike = shift.ndim == 1
    center[rows] = (center[rows] @ back if alike else np.einsum("nij,nj->ni", turn, center[rows])) + shift
    axes[rows] = axes[rows] @ back
    return surfaces._replace(center=center, axes=axes)


def as_bodies(surfaces: SurfaceArrays, moves: Moves, body: IntArray) -> SurfaceArrays:
    """Bodies, by their numbers (m,), in the frame B of their first surface, about the mean o of their centres:
    c -> o + B^T (R B (c - o) + t), A -> A B^T R^T B."""
    rows, turn, shift = moves
    center, axes = surfaces.center.copy(), surfaces.axes.copy()
    first = np.unique(body, return_index=True)[1]
    count = np.bincount(body)
    middle = np.stack([np.bincount(body, weights=column) / count for column in center[rows].T], axis=1)[body]
    B = axes[rows[first]][body]
    back = np.swapaxes(turn, -1, -2)
    inside = np.einsum("nij,nj->ni", B, center[rows] - middle)
    moved = (turn @ inside[..., None])[..., 0] + shift
    center[rows] = middle + np.einsum("nij,ni->nj", B, moved)
    axes[rows] = axes[rows] @ np.swapaxes(B, 1, 2) @ back @ B
    return surfaces._replace(center=center, axes=axes)
