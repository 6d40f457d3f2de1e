"""One look for all figures, and figures as text: nothing here touches the global state of pyplot.

Colours are those of Okabe and Ito, which stay apart for colour-blind readers and in grey."""

from base64 import b64encode
from collections.abc import Callable
from functools import wraps
from io import BytesIO
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#8A8F98", "#1F2430"
WIDTH, HEIGHT = 4.8, 3.5  # inches; two or three stand side by side on a page, one on a phone
HEAD = 0.97  # of the width of the axes: what both titles may take
MARGINS = (0.78, 0.14, 0.5, 0.3)  # left, right, bottom, top [inches]
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "mathtext.fontset": "dejavusans",
    "axes.labelsize": 10.5,
    "axes.titlesize": 9.5,
    "axes.linewidth": 0.8,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xaxis.labellocation": "right",
    "yaxis.labellocation": "top",
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.4,
    "errorbar.capsize": 0.0,
    "figure.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "muonkit",
}

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the look of this package, whatever the user's matplotlibrc says."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            return draw(*args, **kwargs)

    return drawn


def sized(width: float = WIDTH, height: float = HEIGHT) -> Figure:
    """An empty figure with fixed margins, so that axes of figures side by side are in line."""
    figure = Figure(figsize=(width, height))
    left, right, bottom, top = MARGINS
    figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height, hspace=0.07)
    return figure


def blank(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """A figure with one pair of axes."""
    figure = sized(width, height)
    return figure, figure.add_subplot()


def head(axes: Axes, left: str, right: str = "") -> None:
    """What the sample is, and which decay, above the axes; smaller where both are long."""
    titles = (axes.set_title(left, loc="left", fontweight="bold"), axes.set_title(right, loc="right"))
    width = sum(title.get_window_extent().width for title in titles)
    share = HEAD * axes.get_window_extent().width / max(width, 1)
    for title in titles:
        title.set_fontsize(float(title.get_fontsize()) * min(1, share))


def svg(figure: Figure) -> str:
    """The figure as a data URI, the same bytes every time."""
    return "data:image/svg+xml;base64," + _encoded(figure, format="svg", metadata={"Date": None})


def png(figure: Figure, dpi: int = 160) -> str:
    """The figure as a data URI of pixels, for what has thousands of elements."""
    return "data:image/png;base64," + _encoded(figure, format="png", dpi=dpi)


def _encoded(figure: Figure, **options: Any) -> str:
    stream = BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, **options)
    return b64encode(stream.getvalue()).decode()
