"""A detector made ready for Muid: where its planes are, which of its channels work, what its matter costs a track.

Built once for a configuration and the conditions of a run; tracks and hits come piece by piece."""

from dataclasses import dataclass, replace
from typing import Self

from muonkit.detector.channels import Channels
from muonkit.detector.detector import Detector
from muonkit.detector.field import Uniform
from muonkit.muid.swim.channels import build_channels
from muonkit.muid.swim.config import MuidSettings
from muonkit.muid.swim.kernels.tuples import ChannelArrays, Rules
from muonkit.muid.swim.layout import LayoutArrays, build_layout
from muonkit.transport.kernels.tuples import Scene
from muonkit.transport.propagate import scene

BEAM_PIPE = "beam pipe"
ZERO_FIELD_FACTOR = 10.0  # on the variances of hits


@dataclass(frozen=True)
class Yoke:
    """The detector and the settings, and all that the kernels need of them: layout of the planes, state of the
    channels, scene of the transport (geometry, field, matter, energy loss, plan), rules of the matching."""

    detector: Detector
    settings: MuidSettings
    layout: LayoutArrays
    channels: ChannelArrays
    transport: Scene
    rules: Rules

    def with_channels(self, channels: Channels) -> Self:
        """The same in a run with these channels; without payloads all work, with efficiency 1.

        Raises InputError for a module or strip that does not exist."""
        return replace(self, channels=build_channels(self.detector, self.settings.first_rpc_layer, channels))


def build_yoke(detector: Detector, settings: MuidSettings = MuidSettings()) -> Yoke:
    """A detector all of whose channels work. Raises InputError if its planes make no muon detector."""
    layout = build_layout(detector, settings.first_rpc_layer)
    if settings.zero_field:
        detector = replace(detector, field=Uniform((0.0, 0.0, 0.0)))
    here = scene(detector, settings.transport)
    return Yoke(
        detector,
        settings,
        layout,
        build_channels(detector, settings.first_rpc_layer),
        here._replace(plan=here.plan._replace(jacobian=False)),
        kernel_rules(settings, beam_pipe_radius(detector)),
    )


def kernel_rules(settings: MuidSettings, beam_pipe: float) -> Rules:
    """The settings as the kernel sees them; beam_pipe [cm]: radius inside of which a track ends."""
    return Rules(
        settings.min_pt,
        beam_pipe,
        settings.mean_dt,
        settings.max_dt,
        settings.max_sigma,
        settings.match == "either",
        ZERO_FIELD_FACTOR if settings.zero_field else 1.0,
    )


def beam_pipe_radius(detector: Detector) -> float:
    """Radius [cm] of the layer of that name, 0 without one."""
    if BEAM_PIPE not in detector.layers:
        return 0.0
    return float(detector.surfaces.radius[detector.layers.index(BEAM_PIPE)])
