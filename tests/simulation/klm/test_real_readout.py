"""Dead strips, efficiencies of modules, background and times in simulated hits."""

import numpy as np
import pytest
from tests.simulation.klm.test_readout import BAR, BELLE2, DISC, PERFECT, RPC, crossing, together

from muonkit.core.errors import InputError
from muonkit.detector.channels import Channels, ChannelStatus, StripEfficiency
from muonkit.detector.surfaces import inside, to_local
from muonkit.simulation.klm.background import Background, Draw, background
from muonkit.simulation.klm.crossings import NO_CROSSINGS
from muonkit.simulation.klm.readout import Fired, read_out, working_only
from muonkit.simulation.klm.strips import Working, modules

M = modules(BELLE2)
NAMES = {RPC: ("barrel", "fwd", 1, 7), BAR: ("barrel", "fwd", 1, 0), DISC: ("endcap", "fwd", 2, 3)}
SPOT = {RPC: [10.3, 33.3], BAR: [10.3, 33.3], DISC: [170.1, 60.2]}


def module(surface, **more):
    return dict(zip(("region", "section", "sector", "layer"), NAMES[surface], strict=True)) | more


def dead(surface, plane, strips, **more):
    one = module(surface, plane=plane, strips=strips) | more
    return Channels(ChannelStatus.model_validate({"schema": "KLMChannelStatus/1", "dead": [one]}))


def with_efficiency(surface, x, z):
    one = module(surface, planes=[x, z])
    return Channels(efficiency=StripEfficiency.model_validate({"schema": "KLMStripEfficiency/1", "modules": [one]}))


def hits_at(surface, n=1, channels=None, **changes):
    many = together(*(crossing(surface, SPOT[surface], track=i) for i in range(n)))
    return read_out(many, BELLE2, n, 1, PERFECT.model_copy(update=changes), channels=channels or Channels())


@pytest.mark.parametrize("plane", [0, 1])
@pytest.mark.parametrize("surface", [BAR, DISC])
def test_a_dead_strip_leaves_no_hit_and_its_neighbours_do(surface, plane):
    strip = int((SPOT[surface][plane] - M.low[surface, plane]) / M.pitch[surface, plane]) + 1
    assert len(hits_at(surface)) == 1
    assert len(hits_at(surface, channels=dead(surface, plane, [strip]))) == 0
    assert len(hits_at(surface, channels=dead(surface, plane, [strip - 1, strip + 1]))) == 1


def test_a_dead_strip_parts_a_cluster():
    works = Working(np.ones((1, 2)), np.zeros((1, 2, 9), dtype=bool))
    works.dead[0, 1, 4] = True
    cluster = Fired(np.array([0]), np.array([2]), np.array([6]), np.array([5.0]))
    assert working_only(cluster, works, 1).first.tolist() == [2, 3, 5, 6]
    assert working_only(cluster, works, 0).first.tolist() == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("surface", [RPC, DISC])
def test_a_module_has_the_efficiency_of_the_payload_and_others_their_usual_one(surface):
    n, p = 4000, 0.7 * 0.8
    found = len(hits_at(surface, n, with_efficiency(surface, 0.7, 0.8)))
    assert abs(found - n * p) < 4 * np.sqrt(n * p * (1 - p))
    assert len(hits_at(surface, 50, with_efficiency(BAR, 0.0, 0.0))) == 50


def test_channels_that_do_not_exist_are_refused():
    with pytest.raises(InputError, match="plane 1 has strips 1 to 49, not 50"):
        hits_at(RPC, channels=dead(RPC, 1, [50]))
    with pytest.raises(InputError, match="no module endcap/bwd/2/13"):
        hits_at(RPC, channels=dead(DISC, 0, [1], section="bwd", layer=13))


DRAW = Draw(n=4000, seed=3, first=0, gate=(0.0, 100.0))


def test_background_has_its_rate_per_area_in_every_layer():
    rates = tuple(float(rate) for rate in range(1, 16))
    found, _ = background(BELLE2, M, (Background(region="barrel", rate=rates),), DRAW)
    S = BELLE2.surfaces
    assert inside(S, found.surface, to_local(S, found.surface, found.position)).all()
    for layer in (0, 7, 14):
        where = np.flatnonzero((M.region == 0) & (M.layer == layer))
        area = np.prod(S.bounds[where][:, [1, 3]] - S.bounds[where][:, [0, 2]], axis=1).sum()
        expected = DRAW.n * rates[layer] * area * 100e-9
        assert abs(np.isin(found.surface, where).sum() - expected) < 4 * np.sqrt(expected)
    assert 0 <= found.time.min() < 1
    assert 99 < found.time.max() <= 100


def test_background_of_an_endcap_falls_from_its_inner_edge():
    source = Background(region="endcap", section="bwd", rate=(20.0,), falls=50.0)
    found, _ = background(BELLE2, M, (source,), DRAW)
    r = np.hypot(*found.position[:, :2].T)
    assert set(M.section[found.surface]) == {0}
    near, far = np.sum((r > 160) & (r < 170)) / 165, np.sum((r > 210) & (r < 220)) / 215  # rings beyond the cross
    assert near / far == pytest.approx(np.e, rel=0.15)


def test_background_does_not_depend_on_the_pieces_and_makes_ghosts():
    more = {"background": (Background(region="endcap", rate=(500.0,)),)}
    readout = PERFECT.model_copy(update=more)
    whole = read_out(NO_CROSSINGS, BELLE2, 20, 4, readout)
    parts = [read_out(NO_CROSSINGS, BELLE2, 10, 4, readout, first) for first in (0, 10)]
    np.testing.assert_array_equal(whole.position, np.concatenate([part.position for part in parts]))
    many = together(*(crossing(DISC, SPOT[DISC], track=i) for i in range(20)))
    both = read_out(many, BELLE2, 20, 4, readout)
    assert len(both) > len(whole) + 20  # strips of a muon and of background cross too


def test_rates_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="2 rates for the 15 layers of barrel"):
        background(BELLE2, M, (Background(region="barrel", rate=(1.0, 2.0)),), DRAW)
    with pytest.raises(InputError, match="particles per event, more than 1000; lower the rate"):
        background(BELLE2, M, (Background(region="barrel", rate=(1.0,)),), DRAW._replace(gate=(0.0, 1e6)))


def test_times_have_their_resolution_and_planes_far_apart_in_time_make_no_hit():
    hits = hits_at(RPC, 2000, time_resolution=3.0, gate=(-50.0, 150.0))
    assert hits.time.std() == pytest.approx(3.0, rel=0.07)
    assert hits.time.mean() == pytest.approx(10.0, abs=0.3)
    pair = together(crossing(RPC, [-40.0, 50.0]), crossing(RPC, [40.0, 150.0], time=80.0))
    assert len(read_out(pair, BELLE2, 1, 1, PERFECT)) == 4
    assert len(read_out(pair, BELLE2, 1, 1, PERFECT.model_copy(update={"coincidence": 50.0}))) == 2
