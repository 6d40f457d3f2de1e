"""A detector made ready for Muid: settings reach the kernels, nothing is ignored, and it is built once."""

import numpy as np
import pytest
from pydantic import ValidationError
from tests.muid.planes import candidates, no_hits
from tests.muid.samples import BELLE2, YOKE

from muonkit.detector.channels import Channels, ChannelStatus
from muonkit.detector.field import Uniform
from muonkit.muid.swim.config import MuidSettings
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.yoke import build_yoke
from muonkit.transport.propagate import LOSS, SCATTERING

TRACK = ([115.0, 5.0, 60.0], [3.0, 0.1, 0.3])


def test_every_setting_reaches_the_kernels():
    settings = MuidSettings(
        species="K", min_pt=0.3, min_kinetic=0.01, mean_dt=1.0, max_dt=20.0, max_sigma=3.0, match="either",
        first_rpc_layer=4, zero_field=True, scattering="highland, no log", straggling=False, energy_loss="ionisation",
        tolerance=0.01, max_loss=0.1,
    )  # fmt: skip
    yoke = build_yoke(BELLE2, settings)
    rules, plan = yoke.rules, yoke.transport.plan
    assert (rules.min_pt, rules.mean_dt, rules.max_dt, rules.max_sigma) == (0.3, 1.0, 20.0, 3.0)
    assert (rules.either, rules.variance_factor, rules.beam_pipe) == (True, 10.0, YOKE.rules.beam_pipe)
    assert (plan.tolerance, plan.max_loss, plan.min_kinetic, plan.straggling) == (0.01, 0.1, 0.01, False)
    assert (plan.scattering, plan.loss_mode) == (SCATTERING["highland, no log"], LOSS["ionisation"])
    assert yoke.transport.loss.mass == pytest.approx(0.493677, abs=1e-5)
    assert isinstance(yoke.detector.field, Uniform)
    assert np.sum(YOKE.layout.grows) - np.sum(yoke.layout.grows) == 2 * 2 * 8  # layers, sections, sectors


def test_defaults_of_settings_that_payloads_do_not_quote_are_left_out():
    assert {"energy_loss", "tolerance", "max_loss"}.isdisjoint(MuidSettings().model_dump())
    assert MuidSettings(tolerance=0.01).model_dump()["tolerance"] == 0.01


def test_settings_that_make_no_sense_are_refused():
    for wrong in ({"species": "tau"}, {"max_loss": 0.0}, {"max_dt": -1.0}, {"tolerence": 1.0}):
        with pytest.raises(ValidationError):
            MuidSettings(**wrong)


def test_channels_of_a_run_leave_everything_else_as_it_is():
    module = {"region": "barrel", "section": "fwd", "sector": 1, "layer": 3, "plane": 0, "strips": [1, 2]}
    status = ChannelStatus.model_validate({"schema": "KLMChannelStatus/1", "dead": [module]})
    of_run = YOKE.with_channels(Channels(status))
    assert len(of_run.channels.low) == 2
    assert len(YOKE.channels.low) == 0
    assert of_run.layout is YOKE.layout
    assert of_run.transport is YOKE.transport


def test_a_yoke_that_is_built_again_gives_the_same_bits():
    one, other = (extrapolate(candidates(*TRACK), no_hits(), yoke).layers for yoke in (YOKE, build_yoke(BELLE2)))
    assert np.array_equal(one.position, other.position, equal_nan=True)
    assert np.array_equal(one.covariance, other.covariance, equal_nan=True)
