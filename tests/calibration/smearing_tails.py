"""`python -m tests.calibration.smearing_tails`: noise that brings simulation to wider data of the same shape; exact.

The response is a share of Gaussians of width 1 and FACTOR; distributions are sums on a grid, and folded by Fourier
transforms. Printed: quantiles of smeared simulation over those of data, less 1, and muons beyond 3 and 5 rms."""

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from muonkit.core.arrays import FloatArray

ComplexArray = npt.NDArray[np.complex128]
SHARE, FACTOR = 0.12, 2.2
VARIANCE = 1 + SHARE * (FACTOR**2 - 1)
CUMULANT = 3 * (1 + SHARE * (FACTOR**4 - 1)) - 3 * VARIANCE**2  # the fourth
UNKNOWN, REACH = 0.03, 8.0
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
    """Noise with the core, variance and fourth cumulant that are missing."""
    core2, missing = s**2 - 1, (s**2 - 1) * VARIANCE
    rest, fourth = missing - core2, ((s**4 - 1) * CUMULANT + 3 * missing**2) / 3
    # share x (wide^2 - core^2) = rest; core^4 + share x (wide^4 - core^4) = fourth
    wide2 = (fourth - core2**2) / rest - core2
    return gaussians(np.sqrt(core2), rest / (wide2 - core2), np.sqrt(wide2)).astype(complex)


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
    quantiles = [np.interp((0.001, 0.01, 0.05, 0.16), np.cumsum(each) * STEP, X) for each in (found, data)]
    tails = [found[far].sum() / data[far].sum() for far in (np.abs(X) > n * s * np.sqrt(VARIANCE) for n in (3, 5))]
    differences = ", ".join(f"{100 * value:+.1f}" for value in quantiles[0] / quantiles[1] - 1)
    return f"quantiles {differences} %; tails {tails[0]:.2f}, {tails[1]:.2f}"


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


if __name__ == "__main__":
    main()
