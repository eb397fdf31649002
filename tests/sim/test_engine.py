"""What every engine checks of its operands, and what results and counts are made of."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bitweight.sim import ENGINES, Activity, PortBeats, beats, cycles, run, simulate
from bitweight.sim.spec import EngineSpec

A = np.arange(-6, 6).reshape(3, 4)
B = np.arange(-10, 10).reshape(4, 5)

EVERY = [pytest.param(spec.small, id=name) for name, spec in ENGINES.items()]


@pytest.mark.parametrize("function", [simulate, run])
@pytest.mark.parametrize("spec", EVERY)
@pytest.mark.parametrize(
    ("operands", "error", "message"),
    [
        ((A * 1.0, B), TypeError, "Operand a must be an integer array, not float64"),
        ((A.tolist(), B), TypeError, "Operand a must be an integer array, not list"),
        ((A, B > 0), TypeError, "Operand b must be an integer array, not bool"),
        ((A[0], B), ValueError, r"Operand a must have 2 dimensions, not shape \(4,\)"),
        ((A, B[None]), ValueError, r"Operand b must have 2 dimensions, not shape \(1, 4, 5\)"),
        (
            (A * 30, B),
            ValueError,
            r"Operand a must hold int8 codes \(-128 to 127\), not -180 to 150",
        ),
        ((A, B + 119), ValueError, r"Operand b must hold int8 codes .*, not 109 to 128"),
        ((A, B.T), ValueError, r"Operands must share k: a is \(3, 4\), b is \(5, 4\)"),
        ((A[:0], B), ValueError, "GEMM size m must be 1 to .*, not 0"),
        ((A, B[:, :0]), ValueError, "GEMM size n must be 1 to .*, not 0"),
        ((A[:, :0], B[:0]), ValueError, "GEMM size k must be 1 to .*, not 0"),
    ],
)
def test_operands_that_make_no_gemm_are_refused(
    spec: EngineSpec, function: Any, operands: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        function(spec, *operands)


@pytest.mark.parametrize("function", [cycles, beats])
@pytest.mark.parametrize("spec", EVERY)
@pytest.mark.parametrize("size", [0, -1, 2**32])
@pytest.mark.parametrize("name", ["m", "n", "k"])
def test_sizes_past_the_command_port_are_refused(
    spec: EngineSpec, function: Any, name: str, size: int
) -> None:
    with pytest.raises(ValueError, match=f"^GEMM size {name} must be 1 to 4294967295, not {size}$"):
        function(spec, **{"m": 1, "n": 1, "k": 1, name: size})


@pytest.mark.parametrize(
    "call",
    [
        lambda: simulate("systolic_os/mac", A, B),
        lambda: run("systolic_os/mac", A, B),
        lambda: cycles("systolic_os/mac", m=1, n=1, k=1),
        lambda: beats("systolic_os/mac", m=1, n=1, k=1),
    ],
)
def test_what_is_no_engine_is_refused_by_its_type(call: Any) -> None:
    with pytest.raises(TypeError, match=r"^No engine model takes a str; see sim.catalog.DESIGNS$"):
        call()


@pytest.mark.parametrize("name", ENGINES)
def test_outputs_wrap_and_are_counted(name: str) -> None:
    spec: Any = ENGINES[name].small
    narrow = replace(spec, pe=replace(spec.pe, acc_width=16))
    a, b = np.repeat([[127], [1], [-128]], 3, axis=1), np.repeat([[127, 1]], 3, axis=0)
    result = simulate(narrow, a, b)
    # Exact: 48387 and 381, 381 and 3, -48768 and -384. Two of them leave 16 bits.
    wrapped = [[48387 - 65536, 381], [381, 3], [65536 - 48768, -384]]
    assert (result.acc.tolist(), result.overflow) == (wrapped, 2)


def test_an_overflow_shows_in_the_result() -> None:
    spec = ENGINES["systolic_os/mac"]
    a, b = np.full((1, 2**18), -128, np.int8), np.full((2**18, 1), -128, np.int8)
    result = simulate(spec, a, b)
    # 2**14 * 2**18 is 2**32, which 32 bits show as 0.
    assert (result.acc.tolist(), result.overflow) == ([[0]], 1)
    assert simulate(spec, a[:, : 2**16], b[: 2**16]).overflow == 0


def test_activities_add_up_port_by_port() -> None:
    first = Activity(macs=1, digits=2, idle_slots=3, beats=MappingProxyType({"a": 4, "b": 5}))
    second = Activity(
        macs=10, register_writes=20, correction_ops=30, beats=MappingProxyType({"b": 40, "c": 50})
    )
    total = first + second
    assert total.as_dict() == {
        "macs": 11,
        "digits": 2,
        "idle_slots": 3,
        "register_writes": 20,
        "beats": {"a": 4, "b": 45, "c": 50},
        "correction_ops": 30,
    }


def test_beats_gather_values_and_pad_with_zeros() -> None:
    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = beat[:, None] + np.arange(3)
        return rows, np.zeros_like(rows)

    port = PortBeats(matrix="A", count=4, lanes=3, locate=locate)
    values = np.array([[5], [6], [7]], np.int8)
    assert port.gather(values, 0, 2).tolist() == [[5, 6, 7], [6, 7, 0]]
    # Past the last beat there is nothing.
    assert port.gather(values, 2, 99).tolist() == [[7, 0, 0], [0, 0, 0]]
