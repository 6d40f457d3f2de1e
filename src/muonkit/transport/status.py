"""How the transport of a track ended: its status, as data."""

from muonkit.transport.kernels.travel import (
    LEFT,
    LOOPING,
    NO_START,
    NOT_POSITIVE_DEFINITE,
    OK,
    OUT_OF_MAP,
    STEP_LIMIT,
    STOPPED,
    TANGENT,
)

MESSAGE = {
    OK: "arrived",
    LOOPING: "turned by more than the allowed angle before it met the surface",
    OUT_OF_MAP: "left the map of the magnetic field",
    STOPPED: "lost its energy",
    TANGENT: "is tangent to the surface",
    STEP_LIMIT: "needed more steps than allowed",
    NOT_POSITIVE_DEFINITE: "has a covariance that is not positive definite",
    LEFT: "left the detector before it met the surface",
    NO_START: "starts from values that are not finite numbers",
}

__all__ = [
    "LEFT",
    "LOOPING",
    "MESSAGE",
    "NOT_POSITIVE_DEFINITE",
    "NO_START",
    "OK",
    "OUT_OF_MAP",
    "STEP_LIMIT",
    "STOPPED",
    "TANGENT",
]
