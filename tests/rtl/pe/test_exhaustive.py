"""Every pair of int8 operands through the emitted Verilog of every PE and the encoder ahead of it.

Each test multiplies two matrices, of shape (256, places) and (places, 256 / places). Every column
of the first and all of the second hold each code of int8 once, so that the products that a result
is made of are the 65,536 pairs, each once: dealt over the places, which are a PE's lanes and the
codes that a list of digits takes at once, all of them alike. Results are held against Python
integers. They are read on the edge on which they are due, with operands at full rate, so a clock
more or less is seen too.
"""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from oracle import product, wrapped
from pe_chains import DigitChain, LaconicChain, SideBySide

from bitweight.rtl.build import emit, emit_array, emit_top, module_name
from bitweight.sim import ENGINES
from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.engines.laconic import LaconicSpec
from bitweight.sim.engines.matrix_2d import Matrix2dSpec
from bitweight.sim.pe import (
    BitSerialPeSpec,
    CarrySaveMacSpec,
    GroupedSpec,
    MacSpec,
    SharedEncoderSpec,
    SparseDigitSpec,
    initial_state,
    step,
)
from bitweight.sim.pe.digit import GROUP
from bitweight.sim.pe.mac import MacStructure
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec
from bitweight.sim.pe.same_weight_tree import SameWeightTreeSpec
from bitweight.sim.recoding import RECODINGS
from bitweight.verify.simulator import play_waves

Matrix = NDArray[np.int64]
CODES = np.arange(-128, 128)

# By test the engines whose PE, as it stands in them, it covers.
COVERED = {
    "test_exhaustive.py::test_macs_of_every_structure_and_recoding": (
        "systolic_os/mac",
        "systolic_os/carry_save",
        "matrix_2d/mac",
    ),
    "test_chained.py::test_all_operand_pairs_of_int8_equal_the_model": (
        "systolic_ws/mac",
        "systolic_ws/carry_save",
        "cube/mac",
        "cube/carry_save",
    ),
    "test_exhaustive.py::test_column_of_an_adder_tree": (
        "adder_tree/mac",
        "adder_tree/same_weight",
    ),
    "test_exhaustive.py::test_same_weight_mac_behind_its_recoders": ("matrix_2d/same_weight",),
    "test_exhaustive.py::test_bit_serial": ("bit_slice/bit_serial",),
    "test_exhaustive.py::test_laconic_behind_its_lists": ("bit_slice/laconic",),
    "test_exhaustive.py::test_digit_pes_behind_their_lists": (
        "column/sparse_digit",
        "column/shared_encoder",
        "column/grouped",
    ),
    "test_dealt.py::test_all_products_of_two_int8_come_out_of_the_rtl": ("column/dealt",),
}


def test_the_pe_of_every_integer_engine_has_an_exhaustive_test() -> None:
    assert sorted(itertools.chain(*COVERED.values())) == sorted(ENGINES)
    for test in COVERED:
        file, _, name = test.partition("::")
        assert f"\ndef {name}(" in Path(__file__).with_name(file).read_text()


def operands(places: int) -> tuple[Matrix, Matrix]:
    """Return two matrices that meet in all pairs of int8; where a pair stands is random."""
    rng = np.random.default_rng(places)
    a = np.stack([rng.permutation(CODES) for _ in range(places)], axis=1)
    b = rng.permutation(CODES).reshape(places, -1)
    met = (itertools.product(x, y) for x, y in zip(a.T.tolist(), b.tolist(), strict=True))
    pairs = set(itertools.chain(*met))
    assert len(pairs) == len(a) * b.size == 65_536
    return a, b


def pack(values: Iterable[int], width: int = 8) -> int:
    """Return lanes as one payload, lane 0 in the least bits."""
    return sum((int(v) & ((1 << width) - 1)) << (width * lane) for lane, v in enumerate(values))


def lanes(payload: int, width: int, count: int) -> list[int]:
    return [payload >> (width * lane) & ((1 << width) - 1) for lane in range(count)]


def held(values: Iterable[int], clocks: Iterable[int]) -> list[int]:
    """Return a wave that shows each value for its number of clocks."""
    return [value for value, count in zip(values, clocks, strict=True) for _ in range(count)]


def starts(clocks: Sequence[int]) -> list[int]:
    """Return a wave that is 1 in the first clock of each span."""
    return [int(clock == 0) for count in clocks for clock in range(count)]


def groups(a: Matrix, b: Matrix, width: int) -> list[tuple[Matrix, Matrix]]:
    """Return each row of ``a`` with ``width`` columns of ``b``, rows innermost."""
    firsts = range(0, b.shape[1], width)
    return [(row, b[:, first : first + width]) for first in firsts for row in a]


def check_products(a: Matrix, b: Matrix, found: Sequence[Sequence[int]]) -> None:
    """Compare a result for each of ``groups`` with ``a @ b``."""
    exact = product(a, b)
    width = len(found[0])
    assert len(found) * width == len(a) * b.shape[1]
    for number, results in enumerate(found):
        tile, row = divmod(number, len(a))
        columns = slice(tile * width, (tile + 1) * width)
        assert list(results) == exact[row][columns], (
            f"a {a[row].tolist()}, b {b[:, columns].T.tolist()}: "
            f"RTL {list(results)}, not {exact[row][columns]}"
        )


def check_wave(port: str, found: Sequence[int], wanted: Sequence[int]) -> None:
    for clock, (rtl, exact) in enumerate(zip(found, wanted, strict=True)):
        assert rtl == exact, f"{port} after clock {clock}: RTL {rtl:#b}, not {exact:#b}"


MACS: list[Any] = [
    *(MacSpec(structure=one, pipelined=late) for one in MacStructure for late in (False, True)),
    *(CarrySaveMacSpec(recoding=name) for name in RECODINGS),
]


@pytest.mark.slow
def test_macs_of_every_structure_and_recoding() -> None:
    pairs = list(itertools.product(CODES.tolist(), repeat=2))
    assert len(set(pairs)) == 65_536
    inputs = {
        "a": [a & 255 for a, _ in pairs],
        "b": [b & 255 for _, b in pairs],
        # Half of the products are sums of their own; the others add up, 256 at a time.
        "clear": [int(a % 2 == 0) for a, _ in pairs],
    }
    words = [f"{word}_{number}" for number, spec in enumerate(MACS) for word in spec.words]
    record = play_waves(emit_top(SideBySide(MACS), "macs"), "macs", inputs, words, len(pairs) + 1)
    for number, spec in enumerate(MACS):
        due = slice(spec.latency - 1, spec.latency - 1 + len(pairs))
        trace = np.array([record[f"{word}_{number}"][due] for word in spec.words])
        total = 0
        for (a, b), state in zip(pairs, trace.T.tolist(), strict=True):
            total = a * b + (0 if a % 2 == 0 else total)
            assert wrapped(sum(state), 32) == total, f"{spec}, operands ({a}, {b}): RTL {state}"
        if not getattr(spec, "pipelined", False):
            check_registers(spec, trace)


def check_registers(spec: Any, trace: Matrix) -> None:
    """Check that each state of the RTL follows from the one before as the model says.

    Args:
        spec: The PE, which holds nothing but its words.
        trace: Its words after each clock, shape (words, 65,536).
    """
    before = np.hstack([np.zeros((len(spec.words), 1), np.int64), trace[:, :-1]])
    codes: Any = CODES  # the model computes with arrays as with integers
    for number, a in enumerate(CODES.tolist()):
        clocks = slice(256 * number, 256 * (number + 1))
        kept = dict(zip(spec.words, before[:, clocks], strict=True))
        state = step(spec, initial_state(spec)._replace(**kept), a, codes, clear=a % 2 == 0)
        for name, word in zip(spec.words, trace[:, clocks], strict=True):
            differs = np.flatnonzero(getattr(state, name) != word)
            assert not differs.size, f"{spec}, operands ({a}, {CODES[differs[0]]}): {name}"


@pytest.mark.slow
@pytest.mark.parametrize("temporal", [True, False])
def test_same_weight_mac_behind_its_recoders(temporal: bool) -> None:
    pe = SameWeightMacSpec(temporal=temporal)
    spec = Matrix2dSpec(pe=pe, rows=1, cols=1)
    a, b = operands(pe.k_lanes)
    beats = 4 if temporal else 1
    fed = groups(a, b, 1)
    clocks = [beats] * len(fed)
    edges = sum(clocks) + spec.read_latency
    inputs = {
        "a": held([pack(row) for row, _ in fed], clocks),
        "b": held([pack(column.flat) for _, column in fed], clocks),
        "clear": starts(clocks),
        "select": [1] * edges,
    }
    if temporal:
        inputs |= {"digit": [8, 4, 2, 1] * len(fed), "shift": [1] * sum(clocks)}
    text, top = emit_array(spec), f"{module_name(spec.name)}_array"
    row = play_waves(text, top, inputs, ["row"], edges)["row"]
    pairs = [lanes(payload, 32, 2) for payload in row[beats - 1 + spec.read_latency :: beats]]
    check_products(a, b, [[wrapped(sum(pair), 32)] for pair in pairs])


@pytest.mark.slow
@pytest.mark.parametrize(
    "pe",
    [MacSpec(), MacSpec(structure=MacStructure.FUSED), SameWeightTreeSpec()],
    ids=["multiply_add", "fused", "same_weight"],
)
def test_column_of_an_adder_tree(pe: MacSpec | SameWeightTreeSpec) -> None:
    places, columns = 4, 2
    spec = AdderTreeSpec(pe=pe, lanes=places, columns=columns, double_buffer=False)
    a, b = operands(places)
    inputs: dict[str, list[int]] = {"load": [], "b": [], "a": []}
    due = []
    for start in range(0, b.shape[1], columns):
        inputs["load"] += [1 << j for j in range(columns)] + [0] * len(a)
        inputs["b"] += [pack(b[:, start + j]) for j in range(columns)] + [0] * len(a)
        inputs["a"] += [0] * columns + [pack(row) for row in a]
        last = len(inputs["a"]) + spec.depth - 2
        due += range(last - len(a) + 1, last + 1)
    text, top = emit_array(spec), f"{module_name(spec.name)}_array"
    record = play_waves(text, top, inputs, ["sums"], due[-1] + columns)["sums"]
    width = spec.sum_width
    # A column gives its sum a clock after the one before it.
    sums = [[wrapped(record[at + j] >> (width * j), width) for j in range(columns)] for at in due]
    check_products(a, b, sums)


@pytest.mark.slow
def test_bit_serial() -> None:
    spec = BitSerialPeSpec()
    a, b = operands(spec.lanes)
    fed = groups(a, b, 1)
    clocks = [8] * len(fed)
    # A sum is stored while the next one's first bits are taken.
    stored = [*starts(clocks), 1]
    inputs = {
        "bits": [pack(row >> bit & 1, 1) for row, _ in fed for bit in range(8)],
        "b": held([pack(column.flat) for _, column in fed], clocks),
        "first": starts(clocks),
        "before_sign": [0, 0, 0, 0, 0, 0, 1, 0] * len(fed),
        "sign": [0, 0, 0, 0, 0, 0, 0, 1] * len(fed),
        "commit": stored,
        "restart": stored,
    }
    acc = play_waves(emit(spec), spec.name, inputs, ["acc"], len(stored))["acc"]
    check_products(a, b, [[wrapped(value, 32)] for value in acc[8::8]])


def naf_weight(code: int) -> int:
    """Return how many digits of the non-adjacent form are not zero."""
    return (abs(code) ^ 3 * abs(code)).bit_count()


@pytest.mark.slow
def test_laconic_behind_its_lists() -> None:
    spec = LaconicSpec(rows=1, cols=1)
    a, b = operands(spec.pe.lanes)
    fed = [(row.tolist(), column.ravel().tolist()) for row, column in groups(a, b, 1)]
    walks = [
        [max(1, naf_weight(x) * naf_weight(y)) for x, y in zip(row, column, strict=True)]
        for row, column in fed
    ]
    clocks = [max(walk) for walk in walks]
    inputs = {
        "load": starts(clocks),
        "a": held([pack(row) for row, _ in fed], clocks),
        "b": held([pack(column) for _, column in fed], clocks),
        # The first pair's product reaches the accumulator three clocks after its codes are loaded.
        "restart": [0, 0, 0, *starts(clocks)],
    }
    text = emit_top(LaconicChain(spec), "laconic")
    record = play_waves(text, "laconic", inputs, ["over", "acc"], sum(clocks) + 3)
    over = [
        pack([clock >= pairs - 1 for pairs in walk], 1)
        for walk, count in zip(walks, clocks, strict=True)
        for clock in range(count)
    ]
    check_wave("over", record["over"][:-3], over)
    due = [end + 2 for end in itertools.accumulate(clocks)]
    check_products(a, b, [[wrapped(record["acc"][clock], 32)] for clock in due])


# The only way to write 0 to 128 with four digits -1, 0, 1 and 2 of radix 4; EN-T adds the sign.
EN_T_DIGITS = {
    sum(digit * 4**place for place, digit in enumerate(digits)): digits
    for digits in itertools.product((-1, 0, 1, 2), repeat=4)
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec", [SparseDigitSpec(), SharedEncoderSpec(), GroupedSpec()], ids=lambda spec: spec.name
)
def test_digit_pes_behind_their_lists(spec: Any) -> None:
    places, pes = GROUP * spec.lanes, 4
    a, b = operands(places)
    # Digits of one bit-weight at a time: four passes for a result.
    passes = [(row, digit, tile) for row, tile in groups(a, b, pes) for digit in range(4)]
    counts = [
        [sum(EN_T_DIGITS[abs(code)][digit] != 0 for code in group) for group in four.tolist()]
        for four, digit in ((row.reshape(-1, GROUP), digit) for row, digit, _ in passes)
    ]
    clocks = [max(1, *count) for count in counts]
    inputs = {
        "codes": held([pack(row) for row, _, _ in passes], clocks),
        "digit": held([digit for _, digit, _ in passes], clocks),
        "take": starts(clocks),
        # A digit's b is read two clocks after it was listed; its pass's tag comes one later.
        "b": [0, 0, *held([pack(tile.T.flat) for _, _, tile in passes], clocks)],
        "ended": [0, 0, 0, *starts(clocks), 1],
    }
    text, ports = emit_top(DigitChain(spec, pes), "digits"), ("ends", "ended_next", "sum", "carry")
    record = play_waves(text, "digits", inputs, ports, sum(clocks) + 4)
    copies = pes if spec.own_encoder else 1
    ends = [
        pack([left - clock <= 1 for left in count] * copies, 1)
        for count, span in zip(counts, clocks, strict=True)
        for clock in range(span)
    ]
    check_wave("ends", record["ends"][:-4], ends)
    check_wave("ended_next", record["ended_next"], [(2**pes - 1) * tag for tag in inputs["ended"]])

    def pass_sums(due: int, span: int) -> list[int]:
        words = (lanes(record[word][due], spec.sum_width, pes) for word in spec.words)
        return [
            wrapped(sum(pair) - spec.offset(span), spec.sum_width)
            for pair in zip(*words, strict=True)
        ]

    due = [clock for clock, tag in enumerate(inputs["ended"]) if tag][1:]
    sums = np.array(list(map(pass_sums, due, clocks)))
    weighted = sums.reshape(-1, 4, pes) * np.array([1, 4, 16, 64])[:, np.newaxis]
    check_products(a, b, weighted.sum(axis=1).tolist())
