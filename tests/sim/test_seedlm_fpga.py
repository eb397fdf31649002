import pytest

from bitweight.sim import DATAPATHS, cycles
from bitweight.sim.seedlm_fpga import FpgaWeights, fitted_fpga_cycles


@pytest.mark.parametrize(
    ("weights", "published"), [(FpgaWeights.SEEDLM4, 34331), (FpgaWeights.FP16, 136559)]
)
def test_the_fit_goes_through_both_published_counts(weights: FpgaWeights, published: int) -> None:
    assert abs(fitted_fpga_cycles(2048, weights) - published) <= 1


@pytest.mark.parametrize(("size", "published"), [(2048, 3.98), (1024, 3.92), (512, 3.67)])
def test_the_fit_predicts_the_published_ratios(size: int, published: float) -> None:
    ratio = fitted_fpga_cycles(size, FpgaWeights.FP16) / fitted_fpga_cycles(
        size, FpgaWeights.SEEDLM4
    )
    assert abs(ratio - published) <= 0.01


def test_our_engine_at_as_many_weights_per_clock_is_within_5_percent_without_a_fit() -> None:
    spec = DATAPATHS["decoder/seedlm4"]
    assert spec.peak_macs == FpgaWeights.SEEDLM4
    assert 0.95 < cycles(spec, m=1, n=2048, k=2048) / 34331 < 1


def test_a_matrix_has_rows() -> None:
    with pytest.raises(ValueError, match="Matrix size must be at least 1, not 0"):
        fitted_fpga_cycles(0, FpgaWeights.FP16)
