"""Distortions: one knob each, what it moves and what not, and the way back."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from muonkit.core.errors import InputError
from muonkit.detector import surfaces as geometry
from muonkit.detector.detector import Detector, load_detector
from muonkit.detector.distort import (
    AddMaterial,
    Knob,
    Misalign,
    ScaleField,
    Scatter,
    add_material,
    distorted,
    misalign,
    read_distortions,
    restored,
    scale_field,
    unscale_field,
)
from muonkit.detector.field import Correction
from muonkit.detector.fields.sections import Factors

KNOBS = {
    "moved": Misalign(layers=("TOB/*",), translation=(0.1, -0.2, 0.3)),
    "turned": Misalign(layers=("TEC/*",), rotation=(1e-3, -2e-3, 5e-3)),
    "moved and turned": Misalign(layers=("T*", "PXB/1"), translation=(0.1, -0.2, 0.3), rotation=(0.1, -0.2, 0.3)),
    "as a body": Misalign(layers=("T*",), translation=(0.1, -0.2, 0.3), rotation=(0.1, -0.2, 0.3), frame="global"),
    "scattered": Scatter(layers=("*",), translation=(0.01, 0.01, 0.05), rotation=(1e-3, 1e-3, 1e-2), seed=3),
    "scattered bodies": Scatter(layers=("TOB/*", "TIB/*"), translation=(0.1, 0.1, 0.1), each="pattern"),
    "stronger field": ScaleField(factor=1.0013),
    "denser layers": AddMaterial(layers=("TIB/*", "services/*"), factor=1.07),
    "thinner layers": AddMaterial(layers=("TIB/*",), x0=-0.005),
}


@pytest.fixture(scope="module")
def tracker() -> Detector:
    return load_detector("cms_like_layers")


@pytest.fixture(scope="module")
def belle2() -> Detector:
    return load_detector("belle2")


def numbers(detector: Detector) -> np.ndarray:
    """Everything that a distortion may touch, volumes by the density and radiation length of their slices."""
    slices = [(detector.materials[i].density, 1 / detector.materials[i].X0) for i in detector.volumes.material]
    parts = [part.astype(float).ravel() for part in detector.surfaces]
    points = np.array([[10.0, -20, 30], [50, 60, -150], [0, 100, 200]])
    return np.concatenate([*parts, np.ravel(slices), detector.field.value(points).ravel()])


@pytest.mark.parametrize("name", KNOBS)
def test_a_knob_does_something_and_its_inverse_undoes_it(tracker, name):
    before = numbers(tracker)
    changed = distorted(tracker, [KNOBS[name]])
    assert not np.allclose(numbers(changed), before, rtol=1e-6, atol=1e-6)
    assert np.allclose(numbers(restored(changed, [KNOBS[name]])), before, rtol=1e-12, atol=1e-12)
    assert np.array_equal(numbers(tracker), before), "the detector that was given stays as it was"


def test_several_knobs_are_undone_in_the_right_order(tracker):
    knobs = list(KNOBS.values())
    back = restored(distorted(tracker, knobs), knobs)
    assert np.allclose(numbers(back), numbers(tracker), rtol=1e-12, atol=1e-11)


def test_density_of_volumes_is_scaled_and_restored(belle2):
    knob = AddMaterial(layers=("yoke/*",), factor=1.02)
    changed = distorted(belle2, [knob])
    for block, name in enumerate(belle2.blocks):
        for i in range(belle2.volumes.first[block], belle2.volumes.first[block] + belle2.volumes.count[block]):
            old = belle2.materials[belle2.volumes.material[i]]
            new = changed.materials[changed.volumes.material[i]]
            factor = 1.02 if name.startswith("yoke/") else 1.0
            assert new.density == pytest.approx(factor * old.density, rel=1e-14), name
            assert new.X0 * factor == pytest.approx(old.X0, rel=1e-14)
    assert np.allclose(numbers(restored(changed, [knob])), numbers(belle2), rtol=1e-12)
    assert changed.materials[0] == belle2.materials[0], "vacuum stays vacuum"


def test_only_what_fits_the_pattern_moves(tracker):
    moved = misalign(tracker, "TIB/2/*", translation=(1, 2, 3))
    shift = moved.surfaces.center - tracker.surfaces.center
    chosen = np.array([name.startswith("TIB/2/") for name in tracker.layers])
    assert chosen.sum() == 2
    assert not shift[~chosen].any()
    assert np.allclose(shift[chosen], [1, 2, 3], rtol=1e-14), "the frame of a cylinder is that of the world"
    for field in set(tracker.surfaces._fields) - {"center", "axes"}:
        assert np.array_equal(getattr(moved.surfaces, field), getattr(tracker.surfaces, field))


def test_translation_is_along_the_axes_of_the_surface(belle2):
    moved = misalign(belle2, "barrel/fwd/3/05", translation=(1, 0, 0))
    i = belle2.layers.index("barrel/fwd/3/05")
    assert moved.surfaces.center[i] - belle2.surfaces.center[i] == pytest.approx([-1, 0, 0], abs=1e-12)
    assert moved.surfaces.axes[i] == pytest.approx(belle2.surfaces.axes[i])


def test_local_rotation_is_seen_as_the_opposite_one_in_local_coordinates(belle2):
    """A sensor turned by +angle around its normal sees a fixed point turned by -angle."""
    angle = 0.02
    i = np.array([belle2.layers.index("barrel/fwd/3/05")])
    point = geometry.to_global(belle2.surfaces, i, np.array([[10.0, 20.0]]))
    turned = misalign(belle2, "barrel/fwd/3/05", rotation=(0, 0, angle))
    c, s = np.cos(angle), np.sin(angle)
    seen = geometry.to_local(turned.surfaces, i, point)[0]
    assert seen == pytest.approx([c * 10 + s * 20, -s * 10 + c * 20], rel=1e-12)


def test_small_rotations_add_up(tracker):
    once = misalign(tracker, "TEC/*", rotation=(0, 0, 2e-3))
    twice = misalign(misalign(tracker, "TEC/*", rotation=(0, 0, 1e-3)), "TEC/*", rotation=(0, 0, 1e-3))
    assert np.allclose(once.surfaces.axes, twice.surfaces.axes, rtol=0, atol=1e-15)


def test_frames_stay_orthonormal(tracker):
    axes = distorted(tracker, [KNOBS["scattered"], KNOBS["as a body"]]).surfaces.axes
    assert np.allclose(np.einsum("nij,nkj->nik", axes, axes), np.eye(3), rtol=0, atol=1e-14)
    assert np.allclose(np.linalg.det(axes), 1, rtol=1e-14)


def test_global_rotation_moves_all_as_one_body(tracker):
    turned = distorted(tracker, [Misalign(layers=("*",), rotation=(0, 0.1, 0), frame="global")])
    ids = np.arange(len(tracker.layers))
    local = np.full((len(ids), 2), 3.0)
    before, after = (geometry.to_global(one.surfaces, ids, local) for one in (tracker, turned))
    distances = [np.linalg.norm(points[:, None] - points, axis=2) for points in (before, after)]
    assert np.allclose(*distances, rtol=1e-12, atol=1e-10)
    assert np.max(np.abs(after - before)) > 20


def test_scattered_surfaces_follow_gaussians_of_the_given_width(belle2):
    knob = Scatter(layers=("barrel/*",), translation=(0.1, 0.2, 0.4), seed=11)
    there = np.array([name.startswith("barrel/") for name in belle2.layers])
    shift = knob.apply(belle2).surfaces.center - belle2.surfaces.center
    assert not shift[~there].any()
    steps = np.einsum("nij,nj->ni", belle2.surfaces.axes, shift)[there]
    assert len(steps) == 240
    for component, width in zip(steps.T, (0.1, 0.2, 0.4), strict=True):
        assert abs(component.mean()) < 4 * width / np.sqrt(240)
        assert component.std() == pytest.approx(width, rel=4 / np.sqrt(480))


def test_scattering_of_a_surface_depends_on_its_name_and_the_seed_only(tracker):
    def center(seed: int, *layers: str) -> np.ndarray:
        knob = Scatter(layers=layers, translation=(0.1, 0.1, 0.1), seed=seed)
        return knob.apply(tracker).surfaces.center[tracker.layers.index("TOB/3/mono")]

    assert np.array_equal(center(1, "TOB/3/mono"), center(1, "TIB/*", "TOB/*"))
    assert not np.allclose(center(1, "TOB/*"), center(2, "TOB/*"), rtol=0, atol=1e-3)


def test_bodies_of_one_pattern_move_together(tracker):
    moved = distorted(tracker, [KNOBS["scattered bodies"]])
    shift = moved.surfaces.center - tracker.surfaces.center
    tob = np.array([name.startswith("TOB/") for name in tracker.layers])
    tib = np.array([name.startswith("TIB/") for name in tracker.layers])
    assert np.allclose(shift[tob], shift[tob][0], atol=1e-14)
    assert not np.allclose(shift[tob][0], shift[tib][0], atol=1e-3)


def test_material_in_radiation_lengths_is_of_the_layer_itself(tracker):
    more = add_material(tracker, "TOB/1/mono", x0=0.01)
    i = tracker.layers.index("TOB/1/mono")
    X0 = tracker.materials[tracker.surfaces.material[i]].X0
    assert more.surfaces.thickness[i] - tracker.surfaces.thickness[i] == pytest.approx(0.01 * X0, rel=1e-12)


def test_field_is_scaled_everywhere_and_in_the_arrays(belle2):
    points = np.array([[0.0, 0, 0], [210, 5, 50], [100, 50, 290]])
    scaled = scale_field(belle2, 0.9)
    assert np.allclose(scaled.field.value(points), 0.9 * belle2.field.value(points), rtol=1e-14)
    assert np.allclose(scaled.arrays().field.params[:, 0], 0.9 * belle2.arrays().field.params[:, 0], rtol=1e-14)


def test_field_map_of_factors_is_applied_and_taken_off(tracker):
    r, z = np.linspace(0, 120, 7), np.linspace(-300, 300, 13)
    factors = Correction.of((r, z), 1 + 1e-3 * np.cos(z / 100) * np.ones((7, 1)))
    points = np.array([[30.0, 40, 0], [10, 0, 150]])
    scaled = scale_field(tracker, factors)
    expected = factors.value(points)[:, None] * tracker.field.value(points)
    assert np.allclose(scaled.field.value(points), expected, rtol=1e-14)
    assert factors.value(points)[0] == pytest.approx(1.001, rel=1e-12)
    assert unscale_field(scaled).field is tracker.field


def test_field_map_of_factors_can_come_from_a_file(tracker, tmp_path):
    r, z = np.linspace(0, 120, 5), np.linspace(-300, 300, 7)
    np.savez(tmp_path / "factors.npz", r=r, z=z, factor=np.full((5, 7), 1.002))
    knob = ScaleField(factor=0.5, correction=Factors(file=str(tmp_path / "factors.npz")))
    points = np.array([[30.0, 40, 0], [10, 0, 150]])
    changed = distorted(tracker, [knob])
    assert np.allclose(changed.field.value(points), 0.5 * 1.002 * tracker.field.value(points), rtol=1e-13)
    assert restored(changed, [knob]).field is tracker.field


def test_distortions_are_recorded_and_can_be_turned_again(tracker):
    knobs = [KNOBS["moved"], KNOBS["stronger field"], KNOBS["denser layers"]]
    changed = distorted(tracker, knobs)
    assert len(changed.distortions) == 3
    adapter = TypeAdapter(Knob)
    again = distorted(tracker, [adapter.validate_json(line) for line in changed.distortions])
    assert np.array_equal(numbers(again), numbers(changed))


@pytest.mark.parametrize(
    ("knob", "message"),
    [
        (Misalign(layers=("TOBB/*",)), "no name fits 'TOBB/\\*'; names begin with beam pipe, PXB, PXF, TIB"),
        (AddMaterial(layers=("TIB/*",), x0=-1.0), "layer 'TIB/1/mono' would have less than none"),
        (ScaleField(factor=1.1, undo=True), "nothing to undo"),
    ],
)
def test_faults_say_what_and_where(tracker, knob, message):
    with pytest.raises(InputError, match=message):
        knob.apply(tracker)


def test_volumes_have_no_thickness_in_radiation_lengths(belle2):
    with pytest.raises(InputError, match="'yoke/barrel' is a volume; give a factor"):
        add_material(belle2, "yoke/barrel", x0=0.1)


def test_layers_without_material_cannot_get_more_of_it(belle2):
    with pytest.raises(InputError, match="'barrel/fwd/1/00' has no material"):
        add_material(belle2, "barrel/fwd/1/00", x0=0.1)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (
            'kind = "misalign"\nlayers = "TOB/*"\ntranslation = [nan, 0, 0]',
            "0.misalign.translation.0: .*finite",
        ),
        ('kind = "misalign"\nlayers = "TOB/*"\ntranslation = [1e308, 0, 0]', "translation.0: .*less than or equal to"),
        ('kind = "misalign"\nlayers = "TOB/*"\nrotation = [0, 0, 90]', "rotation.2: .*less than or equal to 10"),
        ('kind = "scatter"\nlayers = "TOB/*"\nseed = 9223372036854775808', "a whole number is beyond 64 bits"),
        ('kind = "scatter"\nlayers = "TOB/*"\ntranslation = [-1, 0, 0]', "translation.0: .*greater than or equal to 0"),
        ('kind = "field"\nfactor = 0', "factor: .*greater than"),
        ('kind = "field"\nfactor = true', "factor: .*valid number"),
        ('kind = "material"\nlayers = []\nfactor = 2', "layers: .*at least 1"),
        ('kind = "material"\nlayers = "a"\nfactr = 2', "distort.0.material.factr: unknown key; did you mean 'factor'"),
        ('kind = "melt"', "distort.0: .*'melt'"),
    ],
)
def test_faulty_values_are_refused_with_their_key(tmp_path, table, fault):
    (tmp_path / "wrong.toml").write_text(f"[[distort]]\n{table}\n")
    with pytest.raises(InputError, match=f"wrong.toml: .*{fault}"):
        read_distortions(tmp_path / "wrong.toml")


def test_a_file_of_distortions_is_read_in_its_order(tmp_path):
    (tmp_path / "two.toml").write_text(
        '[[distort]]\nkind = "field"\nfactor = 1.01\n[[distort]]\nkind = "material"\nlayers = "T*"\nfactor = 2\n'
    )
    assert read_distortions(tmp_path / "two.toml") == (ScaleField(factor=1.01), AddMaterial(layers=("T*",), factor=2.0))


def test_unknown_surfaces_get_a_suggestion(tracker):
    with pytest.raises(InputError, match=r"no name fits 'TOB/1/mon'; did you mean 'TOB/1/mono'\? names begin"):
        misalign(tracker, "TOB/1/mon")


@pytest.mark.parametrize("frame", ["local", "global"])
def test_surfaces_do_not_leave_the_envelope(tracker, frame):
    with pytest.raises(InputError, match=r"\d+ surfaces, first 'TOB/1/.*', would leave the envelope"):
        Misalign(layers="TOB/*", translation=(0, 300, 300), frame=frame).apply(tracker)
