"""The bare arrays, read edge by edge: the published tile formulas are what the Verilog does."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bitweight.rtl.build import emit_array, module_name
from bitweight.sim import design
from bitweight.sim.spec import EngineSpec
from bitweight.verify.simulator import play_waves

K = 7


def pack(values: NDArray[Any], width: int) -> int:
    """Return lanes as one payload, lane 0 in the least bits."""
    return sum((int(v) & ((1 << width) - 1)) << (width * i) for i, v in enumerate(values.ravel()))


def resolved(payload: int, place: int, words: int) -> int:
    """Return the value of the ``place``-th accumulator of a payload: its words, added up."""
    word = [payload >> (32 * (place * words + i)) & 0xFFFFFFFF for i in range(words)]
    return sum(word) % 2**32


def last_change(values: list[int]) -> int:
    """Return the edge, counted from 1, that changes the value for the last time."""
    return max(edge for edge, value in enumerate(values, 1) if value != values[-1]) + 1


def play_array(
    spec: EngineSpec, inputs: dict[str, list[int]], outputs: list[str], edges: int
) -> dict[str, list[int]]:
    top = f"{module_name(spec.name)}_array"
    return play_waves(emit_array(spec), top, inputs, outputs, edges)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["systolic_os/mac", "systolic_os/carry_save"])
def test_an_output_stationary_tile_takes_m_plus_n_plus_k_minus_1_edges(name: str) -> None:
    rows, cols = 3, 4
    spec = design(name, [f"rows={rows}", f"cols={cols}"])
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 128, (rows, K)), rng.integers(1, 128, (K, cols))
    inputs = {
        "a": [pack(a[:, k], 8) for k in range(K)],
        "b": [pack(b[k], 8) for k in range(K)],
        "clear": [1],
        "select": [1 << (rows - 1)] * 40,
    }
    row = play_array(spec, inputs, ["row"], 40)["row"]

    # A carry-save pair may still change its bits while zeros pass; its value does not.
    last_pe = [resolved(payload, cols - 1, len(spec.pe.words)) for payload in row]
    assert last_pe[-1] == int(a[-1] @ b[:, -1])
    assert last_change(last_pe) == rows + cols + K - 1
    assert spec.tile_cycles(K) == rows + cols + K - 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["systolic_ws/mac", "systolic_ws/carry_save"])
def test_a_weight_stationary_tile_takes_m_plus_n_plus_k_minus_1_edges(name: str) -> None:
    rows, cols, m = 3, 4, 7
    spec = design(name, [f"rows={rows}", f"cols={cols}", "double_buffer=false"])
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 128, (m, rows)), rng.integers(1, 128, (rows, cols))
    load = rows + 1  # the published N + 1: its weights move along n, these along k
    # The first row of a comes with the edge that puts the last weights in place, or one too early.
    for early in (0, 1):
        inputs = {
            "load": [1] * rows,
            "b": [pack(row, 8) for row in b[::-1]],
            "a": [0] * (load - 1 - early) + [pack(row, 8) for row in a],
        }
        words = play_array(spec, inputs, ["words"], 40)["words"]
        sums = [[column_sum(spec, payload, j) for j in range(cols)] for payload in words]
        # Output (i, j) shows after edge i + j + k + 1, counted from the first row of a.
        shown = [[sums[load - early + i + j + rows - 1][j] for j in range(cols)] for i in range(m)]
        assert (shown == (a @ b).tolist()) == (early == 0)
    assert m - 1 + cols - 1 + rows + 1 == spec.tile_cycles(m) == m + cols + rows - 1
    assert spec.load_cycles == load


def column_sum(spec: Any, payload: int, column: int) -> int:
    """Return what a weight-stationary column ends with, as a positive number."""
    width, words = spec.chain.width, len(spec.chain.words)
    at = [width * (column * words + word) for word in range(words)]
    return sum(payload >> place & ((1 << width) - 1) for place in at) % (1 << width)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adder_tree/mac", "adder_tree/same_weight"])
def test_a_tree_tile_takes_m_plus_n_plus_depth_minus_2_edges(name: str) -> None:
    lanes, columns, m = 3, 4, 7
    spec: Any = design(name, [f"lanes={lanes}", f"columns={columns}", "registers=2"])
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 128, (m, lanes)), rng.integers(1, 128, (lanes, columns))
    inputs = {
        "load": [1 << j for j in range(columns)],
        "b": [pack(b[:, j], 8) for j in range(columns)],
        "swap": [0] * columns + [1],
        # The last row stays at the inputs, so that the last sum stays too.
        "a": [0] * columns + [pack(row, 8) for row in a] + [pack(a[-1], 8)] * 40,
    }
    sums = play_array(spec, inputs, ["sums"], 40)["sums"]
    last_column = [payload >> (spec.sum_width * (columns - 1)) for payload in sums]
    assert last_column[-1] == int(a[-1] @ b[:, -1])
    assert last_change(last_column) - columns == m + columns + spec.depth - 2
    assert spec.tile_cycles(m) == m + columns + spec.depth - 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cube/mac", "cube/carry_save"])
def test_beats_of_a_cube_take_their_count_plus_its_sides_minus_2_edges(name: str) -> None:
    rows, cols, depth, count = 2, 3, 4, 5
    spec: Any = design(name, [f"rows={rows}", f"cols={cols}", f"depth={depth}"])
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 128, (count, rows, depth)), rng.integers(1, 128, (count, depth, cols))
    inputs = {"a": [pack(tile, 8) for tile in a], "b": [pack(tile, 8) for tile in b]}
    ends = play_array(spec, inputs, ["ends"], 40)["ends"]

    # The corner that sums reach last: the last of the words in the payload.
    width, words = spec.chain.width, len(spec.pe.words)
    corner = [payload >> (width * words * (rows * cols - 1)) for payload in ends]
    sums = [
        sum(place >> (width * word) & (1 << width) - 1 for word in range(words)) - spec.chain.bias
        for place in corner
    ]
    assert sums[-1] == 0
    due = rows + cols + depth - 2
    wanted = [int(x[-1] @ y[:, -1]) for x, y in zip(a, b, strict=True)]
    assert sums[due : due + count] == wanted
    assert sums[due + count] == 0
    assert spec.tile_cycles(count) == due + count


@pytest.mark.slow
@pytest.mark.parametrize("name", ["matrix_2d/mac", "matrix_2d/same_weight"])
def test_a_broadcast_tile_takes_its_beats_and_the_pipeline(name: str) -> None:
    rows, cols, k = 3, 4, 8
    spec: Any = design(name, [f"rows={rows}", f"cols={cols}"])
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 128, (rows, k)), rng.integers(1, 128, (k, cols))
    # Four passes of two beats of four k lanes, the most significant digit first; or a beat per k.
    passes, lanes = (4, 4) if name == "matrix_2d/same_weight" else (1, 1)
    starts = range(0, k, lanes)
    # An odd operand has a digit in the last pass, so that the last beat changes the sum.
    a |= 1
    inputs = {
        "a": [pack(a[:, at : at + lanes], 8) for at in starts] * passes,
        "b": [pack(b[at : at + lanes].T, 8) for at in starts] * passes,
        "clear": [1],
        "select": [1 << (rows - 1)] * 40,
    }
    if passes > 1:
        inputs["digit"] = [1 << digit for digit in (3, 2, 1, 0) for _ in starts]
        inputs["shift"] = [1, 0] * passes
    row = play_array(spec, inputs, ["row"], 40)["row"]
    last_pe = [resolved(payload, cols - 1, len(spec.pe.words)) for payload in row]
    assert last_pe[-1] == int(a[-1] @ b[:, -1])
    pipeline = 1 if name == "matrix_2d/mac" else 2
    assert last_change(last_pe) == passes * len(starts) + pipeline == spec.tile_cycles(k)
