"""Which designs are held against which; what was published of them is ``cost_models.published``."""

from bitweight.cost_models.published import Evidence, Published, Quantity, published_ratios
from bitweight.reports.comparison.ratios import Pair


def _pair(optimised: str, baseline: str) -> Pair:
    return Pair(
        optimised=optimised,
        baseline=baseline,
        area=_best_known(optimised, baseline, Quantity.AREA_EFFICIENCY),
        energy=_best_known(optimised, baseline, Quantity.ENERGY_EFFICIENCY),
    )


def _best_known(optimised: str, baseline: str, quantity: Quantity) -> Published | None:
    """Return the paper's own figure, else that of its released reports; none at second hand."""
    found = published_ratios(optimised, baseline, quantity)
    for evidence in (Evidence.ABSTRACT, Evidence.REPOSITORY):
        for figure in found:
            if figure.evidence is evidence:
                return figure
    return None


PAIRS: tuple[Pair, ...] = (
    _pair("systolic_os/carry_save", "systolic_os/mac"),
    _pair("systolic_ws/carry_save", "systolic_ws/mac"),
    _pair("cube/carry_save", "cube/mac"),
    _pair("adder_tree/same_weight", "adder_tree/mac"),
    _pair("matrix_2d/same_weight", "matrix_2d/mac"),
    *(
        _pair(f"column/{pe}", "bit_slice/laconic")
        for pe in ("sparse_digit", "shared_encoder", "grouped", "dealt")
    ),
)
"""The four classic architectures against their MAC engines, column engines against Laconic."""

BASELINES = frozenset(pair.baseline for pair in PAIRS) | {"bit_slice/bit_serial"}
"""Engines that others are held against."""
