"""How pictures look: colours in a light and a dark theme, marks of provenance, and their bytes.

A picture is drawn once in the light colours. On the page every colour becomes a CSS variable, so
that one drawing serves both themes; texts stay texts, in the page's own font. Each picture is drawn
in two widths, since a wide one shrunk to a phone cannot be read.
"""

import io
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bitweight.cost_models import Provenance

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

WIDE_INCHES = 7.4
NARROW_INCHES = 3.55
_PNG_DPI = 200
_LABEL_POINTS = 7.6

INK, MUTED, GRID, PAPER = "#1b1e24", "#5a6270", "#dfe3e8", "#ffffff"

HUES: Mapping[str, str] = MappingProxyType(
    {
        "systolic_os": "#1f5fbf",
        "systolic_ws": "#0f7c86",
        "cube": "#7a3fb0",
        "adder_tree": "#b8500f",
        "matrix_2d": "#1d7a3e",
        "column": "#b3214f",
        "bit_slice": "#7a5b12",
        "decoder": "#47607f",
        "lookup": "#8a4b6f",
        "addsub": "#4f7256",
        "carry_save": "#1f5fbf",
        "same_weight": "#b8500f",
        "sparse_digit": "#b3214f",
        "shared_encoder": "#b3214f",
        "grouped": "#b3214f",
        "dealt": "#b3214f",
        "bit_serial": "#7a5b12",
        "laconic": "#7a5b12",
    }
)
"""One colour for a family of designs, the first part of their names, and for the PEs they have."""

PARTS = ("#27507f", "#4f86c2", "#93b7dd", "#c07a2c", "#e3b273", "#8b93a0")
"""Colours of components, most important first."""

DARK: Mapping[str, str] = MappingProxyType(
    {
        INK: "#e9ecf1",
        MUTED: "#a3acba",
        GRID: "#31363f",
        PAPER: "#14171c",
        "#1f5fbf": "#7db0ff",
        "#0f7c86": "#52cbd6",
        "#7a3fb0": "#c79bf2",
        "#b8500f": "#ff9f5f",
        "#1d7a3e": "#62ca88",
        "#b3214f": "#ff85a6",
        "#7a5b12": "#dcb65a",
        "#47607f": "#a9bfdb",
        "#8a4b6f": "#dfa3c6",
        "#4f7256": "#a4c9ab",
        "#27507f": "#3f74b5",
        "#4f86c2": "#75a7e0",
        "#93b7dd": "#b7d2f1",
        "#c07a2c": "#d08a3e",
        "#e3b273": "#eec68f",
        "#8b93a0": "#8b93a0",
    }
)
"""Each colour of the light theme in the dark one."""

VARIABLES: Mapping[str, str] = MappingProxyType(
    {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper"}
    | {hue: f"hue-{family}" for family, hue in [*HUES.items()][::-1]}
    | {colour: f"part-{place}" for place, colour in enumerate(PARTS)}
)
"""The CSS variable of each colour."""

MARKS: Mapping[Provenance, tuple[str, bool]] = MappingProxyType(
    {
        Provenance.MEASURED: ("o", True),
        Provenance.COMPOSED: ("o", False),
        Provenance.PUBLISHED: ("D", False),
        Provenance.SCALED: ("^", False),
        Provenance.ASSUMED: ("X", False),
    }
)
"""Marker of each provenance, and whether it is filled."""

_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "figure.facecolor": PAPER,
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8,
}


def styled() -> Any:
    """Return the context in which pictures are drawn and saved."""
    from matplotlib import rc_context  # noqa: PLC0415 - an extra that only drawing needs

    return rc_context({**_RC, "svg.hashsalt": "bitweight"})


def family(design: str) -> str:
    """Return the family of a design, or of a PE."""
    return design.partition("/")[0].partition(" ")[0]


def hue(design: str) -> str:
    """Return the colour of a design."""
    return HUES.get(family(design), INK)


def mark(provenance: Provenance, colour: str, size: float = 5.5) -> dict[str, Any]:
    """Return how a point of that provenance is drawn."""
    marker, is_filled = MARKS[provenance]
    return {
        "marker": marker,
        "markersize": size,
        "markerfacecolor": colour if is_filled else PAPER,
        "markeredgecolor": colour,
        "markeredgewidth": 1.2,
    }


def spread(positions: list[float], least: float) -> list[float]:
    """Return positions moved apart to ``least`` at least, in order and about their own middle."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    # Blocks of labels that touch, each with the sum of where its members would start.
    blocks: list[tuple[list[int], float]] = []
    for i in order:
        members, total = [i], positions[i]
        while blocks:
            before, sum_before = blocks[-1]
            end = sum_before / len(before) + least * len(before)
            if end <= total / len(members):
                break
            blocks.pop()
            total = sum_before + total - least * len(before) * len(members)
            members = before + members
        blocks.append((members, total))
    moved = [0.0] * len(positions)
    for members, total in blocks:
        for place, i in enumerate(members):
            moved[i] = total / len(members) + place * least
    return moved


def label_ends(axes: "Axes", ends: list[tuple[float, float, str, str]]) -> None:
    """Write labels right of the axes at the height of line ends, moved apart, with a fine leader.

    Args:
        axes: Axes whose limits and scales are final.
        ends: Of each line x, y, text and colour, in data.
    """
    axes.autoscale_view()
    low, high = axes.transAxes.transform([(0.0, 0.0), (0.0, 1.0)])[:, 1]
    fractions = [(axes.transData.transform((x, y))[1] - low) / (high - low) for x, y, _, _ in ends]
    points = (high - low) / axes.figure.dpi * 72
    heights = spread([float(fraction) for fraction in fractions], _LABEL_POINTS * 1.2 / points)
    for (x, y, text, colour), height in zip(ends, heights, strict=True):
        axes.annotate(
            text,
            xy=(x, y),
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            color=colour,
            fontsize=_LABEL_POINTS,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.5,
                "alpha": 0.5,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 3,
            },
        )


def to_png(drawing: "Drawing") -> bytes:
    """Return a drawing as PNG; the same drawing gives the same bytes."""
    data = io.BytesIO()
    drawing.savefig(data, format="png", dpi=_PNG_DPI, metadata={"Software": None})
    return data.getvalue()


def to_svg(drawing: "Drawing") -> bytes:
    """Return a drawing as SVG; the same drawing gives the same bytes."""
    data = io.BytesIO()
    unknown = {"Date": None, "Creator": None, "Format": None, "Type": None}
    drawing.savefig(data, format="svg", metadata=unknown)
    return data.getvalue()


def to_inline(svg: bytes, prefix: str, label: str) -> str:
    """Return an SVG file as an element of a page, in the page's colours and font.

    Args:
        svg: What ``to_svg`` made.
        prefix: Put before every id, since those of several drawings may be the same.
        label: What a screen reader says.
    """
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = text.replace("font-family: 'DejaVu Sans'; ", "")
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", text)
    for colour, name in VARIABLES.items():
        text = text.replace(colour, f"var(--{name})")
    title = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1).strip()
