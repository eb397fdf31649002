"""The weight formats on one layer, as a table of the page."""

from collections.abc import Sequence

from bitweight.reports.comparison.picture import Facts, Picture
from bitweight.reports.format_row import FormatRow
from bitweight.reports.weight_formats import COLUMNS, cells


def picture(rows: Sequence[FormatRow], layer: str, facts: Facts) -> Picture:
    """Return the table of weight formats."""
    return Picture(
        name="formats",
        title="Weight formats",
        reading=(
            f"Bits, accuracy, bytes fetched and cycles of {layer} in each format on its engine. "
            "Errors are relative, in the Frobenius norm: of the weights, and of the outputs on the "
            "layer's own activations. Decode is its first token alone, prefill all of them."
        ),
        facts=facts,
        columns=COLUMNS,
        rows=tuple(tuple(cells(row)) for row in rows),
    )
