"""Model against Verilog: the same GEMMs on both, bits and edges compared.

One check emits a design, builds it once, and plays GEMMs into it back to back: drawn sizes and
corners, each first with every stream always willing (then the edge count must equal the model's
cycles), then with random stalls (then the beats must be the same, in the same order).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.rtl.build import emit, module_name
from bitweight.sim.engine import PortBeats, PortValues, beats, carried, simulate
from bitweight.sim.spec import DesignSpec
from bitweight.verify.simulator import play
from bitweight.workloads.packed_weights import PackedWeights

_STALL_RATE = 0.3
# A hung engine is given up after this many times the model's cycles, and a little.
_PATIENCE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """One GEMM to check.

    Attributes:
        name: What is special about it.
        a: Streamed operand, shape (m, k).
        b: Other operand, shape (k, n), or packed weights.
    """

    name: str
    a: NDArray[np.integer]
    b: NDArray[np.integer] | PackedWeights

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Sizes m, n, k."""
        m, k = self.a.shape
        return m, self.b.n if isinstance(self.b, PackedWeights) else self.b.shape[1], k


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a check of one GEMM found.

    Attributes:
        work: Its name.
        m: Rows of the result.
        n: Columns of the result.
        k: Length of the sums.
        stalls: Whether streams stalled at random.
        cycles: The model's cycles.
        edges: Edges counted on the Verilog.
        seconds: Wall-clock time of the simulation.
        fault: Empty if all agree, else the first difference in one line.
    """

    work: str
    m: int
    n: int
    k: int
    stalls: bool
    cycles: int
    edges: int
    seconds: float
    fault: str


@dataclass(frozen=True, slots=True, eq=False)
class _Expected:
    """A GEMM as the ports see it."""

    work: Work
    cycles: int
    ports: Mapping[str, PortBeats]
    values: Mapping[str, PortValues]

    def payloads(self, port: str) -> Iterator[str]:
        """Yield the beats of a port as hexadecimal payloads, lane 0 in the least bits."""
        carries, (values, width) = self.ports[port], self.values[port]
        mask = (1 << width) - 1
        for lanes in carries.gather(values, 0, carries.count).tolist():
            payload = 0
            for lane, value in enumerate(lanes):
                payload |= (value & mask) << (lane * width)
            yield f"{payload:x}"


def check_engine(
    spec: DesignSpec,
    works: Sequence[Work],
    *,
    seed: int = 0,
    verilog: str | None = None,
) -> list[Outcome]:
    """Check an engine's Verilog against its model.

    Args:
        spec: The engine.
        works: GEMMs to run, in this order, without stalls and then with.
        seed: Seed of the stalls.
        verilog: Text to check instead of ``emit(spec)``, for example with a planted fault.

    Raises:
        ToolError: If a tool is missing or the Verilog does not build.
    """
    expected = [_expect(spec, work) for work in works]
    runs = [(item, stalls) for stalls in (False, True) for item in expected]
    cases = [
        _case(item, stall_rate=_STALL_RATE if stalls else 0.0, seed=seed + number)
        for number, (item, stalls) in enumerate(runs)
    ]
    text = emit(spec) if verilog is None else verilog
    records = play(text, module_name(spec.name), cases)
    return [
        _judge(item, stalls, record) for (item, stalls), record in zip(runs, records, strict=True)
    ]


def _expect(spec: DesignSpec, work: Work) -> _Expected:
    result = simulate(spec, work.a, work.b)
    m, n, k = work.sizes
    values = carried(spec, work.a, work.b, result.results)
    return _Expected(work, result.cycles, beats(spec, m=m, n=n, k=k), values)


def _case(item: _Expected, *, stall_rate: float, seed: int) -> dict[str, Any]:
    m, n, k = item.work.sizes
    return {
        "name": item.work.name,
        "stall_seed": seed,
        "stall_rate": stall_rate,
        "result_beats": item.ports["c"].count,
        "max_edges": _PATIENCE * item.cycles + 1000,
        "beats": {
            "cmd": [f"{m | n << 32 | k << 64:x}"],
            **{port: list(item.payloads(port)) for port in item.ports if port != "c"},
        },
    }


def _judge(item: _Expected, stalls: bool, record: Mapping[str, Any]) -> Outcome:
    m, n, k = item.work.sizes
    return Outcome(
        work=item.work.name,
        m=m,
        n=n,
        k=k,
        stalls=stalls,
        cycles=item.cycles,
        edges=record["edges"],
        seconds=record["seconds"],
        fault=_fault(item, stalls, record),
    )


def _fault(item: _Expected, stalls: bool, record: Mapping[str, Any]) -> str:
    """Return the first difference between record and model, or an empty string."""
    if record["faults"]:
        return str(record["faults"][0])
    taken: list[str] = record["c"]
    port = item.ports["c"]
    for beat, (payload, wanted) in enumerate(zip(taken, item.payloads("c"), strict=False)):
        if payload != wanted:
            return _different_beat(port, beat, item.values["c"].width, payload, wanted)
    if len(taken) != port.count:
        return f"c delivers {len(taken)} beats, model {port.count}"
    inputs = {name: carries.count for name, carries in item.ports.items() if name != "c"}
    wanted_beats = {"cmd": 1, **inputs}
    for name, count in wanted_beats.items():
        if record["sent"][name] != count:
            return f"{name} accepts {record['sent'][name]} beats, model {count}"
    if not stalls and record["edges"] != item.cycles:
        return f"RTL takes {record['edges']} edges, model {item.cycles} cycles"
    return ""


def _different_beat(port: PortBeats, beat: int, width: int, payload: str, wanted: str) -> str:
    mask = (1 << width) - 1
    got, expected = int(payload, 16), int(wanted, 16)
    lane = next(lane for lane in range(port.lanes) if ((got ^ expected) >> (lane * width)) & mask)
    rows, columns = port.locate(np.array([beat]))
    got, expected = got >> (lane * width) & mask, expected >> (lane * width) & mask
    return (
        f"c beat {beat}, lane {lane} (output {rows[0, lane]}, {columns[0, lane]}): "
        f"RTL {got:#x}, model {expected:#x}"
    )
