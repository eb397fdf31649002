"""Cycles of the FPGA that SeedLM was published with, as a fit: not a model of ours.

Its matrix-vector engine takes 64 bytes per clock: 32 fp16 weights, or 16 words of 4 bits per
weight, 128 weights. Two cycle counts are published, and a straight line goes through both::

    cycles = size**2 / weights_per_clock * (1 + s) + c        s = 0.03992, c = 255

The two parameters are FITTED to those two counts, so only the ratios at other sizes can test it. We
read s as what the memory loses and c as fill and drain; neither is published. What our engine takes
is ``sim.cycles`` of ``decoder/seedlm4``.

Source: SeedLM, arXiv 2410.10714, FPGA results for 2048 x 2048 (34,331 and 136,559 cycles, 3.98x),
1024 x 1024 (3.92x) and the smallest size (3.67x; 512 x 512 is our reading), all through reviews of
the paper.
"""

import enum

FITTED_STREAM_OVERHEAD = 0.03992
"""Share of extra clocks per beat: fitted."""

FITTED_CONSTANT_CYCLES = 255
"""Cycles of a product beside its stream: fitted."""


class FpgaWeights(enum.IntEnum):
    """Weights per clock of the published engine, by what it streams."""

    FP16 = 32
    SEEDLM4 = 128


def fitted_fpga_cycles(size: int, weights: FpgaWeights) -> int:
    """Return the fitted cycles of a product of a (size, size) matrix and a vector.

    Raises:
        ValueError: If the size is not positive.
    """
    if size < 1:
        raise ValueError(f"Matrix size must be at least 1, not {size!r}")
    stream = size * size / weights.value * (1 + FITTED_STREAM_OVERHEAD)
    return round(stream + FITTED_CONSTANT_CYCLES)
