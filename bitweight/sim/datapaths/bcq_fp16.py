"""Binary codes by look-up in fp16, as LUT-GEMM publishes it: every rounding, in order.

A tile of inputs, by default 32, is worked off at a time; ``sim.datapaths.fp16_tables`` says how its
tables come about. For each output:

1. Offset: t = T[255] of the tile's keys, added one by one to 0; o = 0 + z t.
2. Each plane in turn: t = T[key] of the tile's keys, added likewise; o = o + alpha t.
3. The output, 0 at first, takes up o of the tiles, from the first to the last.

Every product and every sum is rounded to fp16 by itself, to nearest even. The kernel adds tiles in
whatever order its blocks end, and its compiler may fuse 2's product and sum: ours is one order,
stated. k that ends inside a tile is padded with activations 0.

Source: LUT-GEMM, arXiv 2206.09557 (naver-aics/lut-gemm, mv_fp16_bias.hpp).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapaths.fp16_tables import KEY, check_fp16_operands, check_tile, fp16_tables
from bitweight.sim.datapaths.sign_planes import sign_units
from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.packed_weights import PackedWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class Fp16BcqSpec:
    """Parameters of the fp16 form.

    Attributes:
        format: The weights.
        tile: Inputs of a tile: 32, 64, 128 or 256.
    """

    format: Bcq = field(default_factory=Bcq)
    tile: int = 32

    def __post_init__(self) -> None:
        """Refuse tiles that no block of threads has and groups that end inside a tile."""
        check_tile(self.tile)
        if self.format.group % self.tile:
            raise ValueError(
                f"Group must be a multiple of the tile of {self.tile}, not {self.format.group}"
            )


def fp16_bcq_outputs(
    spec: Fp16BcqSpec, x: NDArray[np.float16], packed: PackedWeights
) -> NDArray[np.float16]:
    """Return outputs, shape (m, n), rounded in the documented order.

    Args:
        spec: Format and order.
        x: Activations, shape (m, k).
        packed: Weights in the spec's format.

    Raises:
        TypeError: If the activations are not fp16, or the weights are in another format.
        ValueError: If shapes disagree.
    """
    check_fp16_operands(x, packed, spec.format)
    tables = fp16_tables(x, spec.tile)
    outputs = np.zeros((len(x), packed.n), np.float16)
    per_tile = spec.tile // KEY
    keys = sign_units(packed.words, KEY, packed.words.shape[0] * 32 // KEY)
    keys = np.pad(keys, ((0, tables.shape[1] - len(keys)), (0, 0), (0, 0)))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, tables.shape[1], per_tile):
            part = slice(start, start + per_tile)
            group = start * KEY // spec.format.group
            outputs = outputs + _tile(packed, tables[:, part], keys[part], group)
    return outputs


def _tile(
    packed: PackedWeights, tables: NDArray[np.float16], keys: NDArray[np.int64], group: int
) -> NDArray[np.float16]:
    """Return what a tile adds to every output."""
    total = np.zeros((len(tables), packed.n), np.float16)
    if "offset" in packed.scales:
        plain = np.zeros((len(tables), 1), np.float16)
        for key in range(len(keys)):
            plain = plain + tables[:, key, -1:]
        total = total + packed.scales["offset"][group] * plain
    for plane, alpha in enumerate(packed.scales["alpha"][group]):
        signed = np.zeros_like(total)
        for key in range(len(keys)):
            signed = signed + tables[:, key, keys[key, :, plane]]
        total = total + alpha * signed
    return total
