"""`python -m tests.calibration.smearing_tails`: noise that brings simulation to wider data of the same shape.

The response is a share of Gaussians of width 1 and FACTOR; distributions are sums on a grid, and folded by Fourier
transforms. Printed: quantiles of smeared simulation over those of data, less 1, and muons beyond 3 and 5 rms.

Then the same for files of corrections, with and without the tails that simulation shows: built-in generator, muons of
5 to 60 GeV, k/k_gen - 1 over the resolution of data. Then for responses of other shapes."""

from functools import reduce
from operator import add
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from tests.calibration import samples

from muonkit.calibration import export
from muonkit.calibration.bias import Bias
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.export import Corrections
from muonkit.calibration.parameters import ParameterValues
from muonkit.calibration.resolution import Resolution
from muonkit.calibration.response import TAIL, accumulate_responses
from muonkit.calibration.schema import Content
from muonkit.calibration.smearing import Tails, smearing
from muonkit.calibration.tails import EDGES, fitted, fitted_tails
from muonkit.core.arrays import FloatArray
from muonkit.data.dimuons import Dimuons
from muonkit.simulation.dimuons.generate import generate

ComplexArray = npt.NDArray[np.complex128]
SHARE, FACTOR = 0.12, 2.2
VARIANCE = 1 + SHARE * (FACTOR**2 - 1)
UNKNOWN, REACH = 0.03, 8.0
QUANTILES = (0.001, 0.01, 0.05, 0.16)
A, C = 0.010, 1.2e-4
RESPONSE = {"tail_share": [SHARE], "tail_factor": [FACTOR]}
ETA = (-2.4, -0.8, 0.8, 2.4)
SAFE_PT = (5.0, 60.0)  # GeV
X = np.linspace(-40, 40, 2**15, endpoint=False)
STEP = X[1] - X[0]
T = 2 * np.pi * np.fft.fftfreq(len(X), STEP)


def gaussians(width: float, share: float, wide: float) -> FloatArray:
    """Characteristic function of a share of Gaussians of width `wide` among others."""
    return (1 - share) * np.exp(-((width * T) ** 2) / 2) + share * np.exp(-((wide * T) ** 2) / 2)


def density(characteristic: ComplexArray) -> FloatArray:
    return np.fft.fftshift(np.fft.ifft(characteristic).real) / STEP


def transformed(values: FloatArray) -> ComplexArray:
    return np.fft.fft(np.fft.ifftshift(values)) * STEP


def two_gaussians(s: float) -> ComplexArray:
    """The noise of `smear`."""
    n2, excess = s**2 - 1, FACTOR**2 - 1
    b = n2 + 2 * (1 - SHARE)
    return gaussians(np.sqrt(n2), SHARE * n2 / b, np.sqrt(n2 + excess * b)).astype(complex)


def polynomial(s: float) -> ComplexArray:
    """y (a + b y^2) of a normal y, with the missing variance and the slope of the missing core."""
    a = 1 / np.sqrt(VARIANCE)
    b = (np.sqrt(36 * a**2 - 60 * (a**2 - 1)) - 6 * a) / 30
    y = ndtri((np.arange(400_000) + 0.5) / 400_000)
    noise = np.sqrt((s**2 - 1) * VARIANCE) * y * (a + b * y**2)
    return transformed(np.histogram(noise, np.append(X, X[-1] + STEP) - STEP / 2)[0] / len(y) / STEP)


def measured(muons: int) -> FloatArray:
    """The characteristic function of a response that so many muons know, which is taken as symmetric."""
    expected = np.maximum(density(gaussians(1, SHARE, FACTOR) + 0j), 0) * STEP
    counts = np.random.default_rng(1).poisson(muons * expected)
    return transformed((counts + np.roll(counts[::-1], 1)) / (2 * muons * STEP)).real


def deconvolution(s: float, muons: int) -> ComplexArray:
    """phi(s t)/phi(t) of a measured response, with a Gaussian from where phi(s t) is below UNKNOWN; negative densities,
    and those beyond REACH, are set to 0."""
    t = np.abs(T)

    def phi(at: FloatArray) -> FloatArray:
        return np.interp(at, np.fft.fftshift(T), np.fft.fftshift(measured(muons)))

    end = t[phi(s * t) < UNKNOWN].min()
    ratio = phi(s * t) / np.where(t < end, phi(t), 1)
    slope = np.log(phi(np.array([s * end])) / phi(np.array([end]))) / end**2
    noise = density(np.where(t < end, ratio, np.exp(slope * t**2)) + 0j)
    positive = np.where(np.abs(X) < REACH, np.maximum(noise, 0), 0)
    return transformed(positive / positive.sum() / STEP)


def compared(found: FloatArray, data: FloatArray, s: float) -> str:
    quantiles = [np.interp(QUANTILES, np.cumsum(each) * STEP, X) for each in (found, data)]
    tails = [found[far].sum() / data[far].sum() for far in (np.abs(X) > n * s * np.sqrt(VARIANCE) for n in (3, 5))]
    differences = ", ".join(f"{100 * value:+.1f}" for value in quantiles[0] / quantiles[1] - 1)
    return f"quantiles {differences} %; tails {tails[0]:.2f}, {tails[1]:.2f}"


class Sample:
    """Muons of the generator whose resolution is `wider` times that of the simulation."""

    def __init__(self, pairs: int, seed: int, wider: float = 1.0, **more: list[float]) -> None:
        content = RESPONSE | {"a": [wider * A], "c": [wider * C]} | more
        tables = list(generate(samples.sample(pairs, seed, resolution=content)))
        self.responses = reduce(add, (accumulate_responses(each, samples.settings_for(each, ETA)) for each in tables))
        self.columns = [np.concatenate(each) for each in zip(*map(muons, tables), strict=True)]

    def deviations(self, wider: float, corrections: Corrections | None = None) -> FloatArray:
        """k/k_gen - 1 over the resolution that is `wider` times that of the simulation."""
        pt, gen_pt, eta, phi, event = self.columns
        one, number = np.ones(len(pt), dtype=np.int64), event.astype(np.int64)
        factor = corrections.smearing(pt, eta, phi, one, one, number) if corrections else 1.0
        sigma = wider * np.sqrt(VARIANCE) * np.hypot(A, C * gen_pt)
        return np.asarray((gen_pt / (pt * factor) - 1) / sigma)


def muons(table: Dimuons) -> tuple[FloatArray, ...]:
    """pT, generated pT [GeV], eta, phi and event of the muons of a table."""
    assert table.gen_plus is not None
    assert table.gen_minus is not None
    both = ((table.plus, table.gen_plus), (table.minus, table.gen_minus))
    rows = [np.stack([reco.pt, gen.pt, reco.eta, reco.phi, table.identity.event]) for reco, gen in both]
    joined = np.concatenate(rows, axis=1)
    low, high = SAFE_PT
    return tuple(joined[:, (joined[1] > low) & (joined[1] < high) & (np.abs(joined[2]) < ETA[-1])])


def file_of(path: Path, wider: float, tails: Tails | None) -> Corrections:
    """Corrections of data that are `wider` than the simulation."""
    bins, rms = len(ETA) - 1, np.sqrt(VARIANCE)
    zero = np.zeros(bins)
    bias, simulated = Bias(zero, zero, zero), Resolution(zero + A * rms, zero + C * rms, zero, zero)
    data = Resolution(wider * simulated.a, wider * simulated.c, zero, zero)
    sample = np.tile([4.0, 60.0], (bins, 1))
    values = {"nominal": ParameterValues(bias, data)}
    export.write(path, Content(values, ParameterValues(bias, simulated), MuonBins.of_edges(ETA), sample, tails=tails))
    return Corrections.open(path)


def far_and_quantiles(found: FloatArray, data: FloatArray) -> tuple[FloatArray, float]:
    """Widths between the quantiles on either side over those of data, less 1, and the share beyond 5 rms over that of
    data."""
    found, data = found - np.median(found), data - np.median(data)
    upper, lower = 1 - np.array(QUANTILES), np.array(QUANTILES)
    widths = [np.quantile(each, upper) - np.quantile(each, lower) for each in (found, data)]
    return widths[0] / widths[1] - 1, float(np.mean(np.abs(found) > 5) / np.mean(np.abs(data) > 5))


def of_files(pairs: int = 1_000_000) -> None:
    for straggling in ([0.0], [7.2e-3]):
        simulation = Sample(pairs, 1, straggling=straggling)
        tails = fitted_tails(simulation.responses)
        print(f"straggling {straggling[0]:g}: share {tails.share.round(3)}, factor {tails.factor.round(2)}")
        for s in (1.05, 1.1, 1.2):
            data = Sample(pairs, 1, s, straggling=straggling).deviations(s)
            for name, shape in (("Gaussian", None), ("with tails", tails)):
                with TemporaryDirectory() as folder:
                    smeared = simulation.deviations(s, file_of(Path(folder) / "c.json.gz", s, shape))
                widths, far = far_and_quantiles(smeared, data)
                differences = ", ".join(f"{100 * value:+.1f}" for value in widths)
                print(f"s = {s:<5g}{'file, ' + name:26}widths {differences} %; tails {far:.2f}")


def other_shapes(n: int) -> dict[str, FloatArray]:
    """Responses (n,) that are not two Gaussians."""
    rng = np.random.default_rng(1)
    normal, wide = rng.standard_normal(n), rng.random(n) < 0.1
    three = rng.choice([1, 1.6, 3.5], n, p=[0.8, 0.17, 0.03])
    return {
        "Student, 5 degrees": rng.standard_t(5, n),
        "Laplace": rng.laplace(size=n),
        "three Gaussians": three * normal,
        "skewed": np.where(wide, 2.5, 1) * normal + 0.8 * (rng.exponential(size=n) - 1),
    }


def smeared_shape(x: FloatArray, s: float, tailed: bool) -> tuple[FloatArray, FloatArray]:
    """Deviations of smeared simulation and of data; x is the response of simulation, in units of its rms."""
    share, factor = fitted(np.histogram(x, EDGES)[0].astype(float)) if tailed else (0.0, 1.0)
    zero, rms = np.zeros(1), 1e-3  # small, so that k and 1/k are linear
    data, simulation = (Resolution(zero + width, zero, zero, zero) for width in (s * rms, rms))
    numbers = np.random.default_rng(2).standard_normal((2, len(x)))
    factors = smearing(*numbers, zero + 1, data, simulation, Tails(zero + share, zero + factor))
    return (x + (1 / factors - 1) / rms) / s, x


def of_shapes(n: int = 2_000_000) -> None:
    for name, values in other_shapes(n).items():
        x = values - values.mean()
        x = x[np.abs(x) < TAIL * x.std()] / x.std()
        for s in (1.1, 1.2):
            for noise in ("Gaussian", "with tails"):
                widths, far = far_and_quantiles(*smeared_shape(x, s, noise == "with tails"))
                differences = ", ".join(f"{100 * value:+.1f}" for value in widths)
                print(f"s = {s:<5g}{name + ', ' + noise:32}widths {differences} %; tails {far:.2f}")


def main() -> None:
    for s in (1.05, 1.1, 1.2, 1.5):
        data = density(gaussians(s, SHARE, s * FACTOR))
        noises = {
            "Gaussian": 0j + np.exp(-(s**2 - 1) * VARIANCE * T**2 / 2),
            "y (a + b y^2)": polynomial(s),
            "two Gaussians": two_gaussians(s),
            "deconvolution, 1e6 muons": deconvolution(s, 1_000_000),
            "deconvolution, 1e5 muons": deconvolution(s, 100_000),
        }
        for name, noise in noises.items():
            print(f"s = {s:<5g}{name:26}{compared(density(gaussians(1, SHARE, FACTOR) * noise), data, s)}")
    of_files()
    of_shapes()


if __name__ == "__main__":
    main()
