"""The cocotb side of a check: plays recorded beats into any engine and records what comes out.

Runs inside the simulator. It knows ports, not designs: the plan file (``BITWEIGHT_PLAN``) says what
each input stream carries, and the record file (``BITWEIGHT_RECORD``) takes the output beats and the
edges, for ``verify.engine_check`` to hold against the model.

Inputs change while the clock is low; handshakes are read just before it rises. So an edge means
the same here as in DESIGN's definition of a cycle, in any simulator.
"""

import json
import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

_SETTLE_EDGES = 40


class _Source:
    """Drives one input stream; a beat stays until it is taken."""

    def __init__(self, dut: Any, port: str, beats: list[str]) -> None:
        self.payload = getattr(dut, f"{port}__payload")
        self.valid = getattr(dut, f"{port}__valid")
        self.ready = getattr(dut, f"{port}__ready")
        self.beats = [int(beat, 16) for beat in beats]
        self.sent = 0
        self.is_offered = False

    def offer(self, willing: bool) -> None:
        """Offer the next beat, if there is one and the source is willing."""
        if self.is_offered or self.sent == len(self.beats) or not willing:
            return
        self.payload.value = self.beats[self.sent]
        self.valid.value = 1
        self.is_offered = True

    def withdraw_taken(self, is_taken: bool) -> None:
        """Note that the offered beat was taken on this edge."""
        if is_taken:
            self.sent += 1
            self.is_offered = False
            self.valid.value = 0

    def is_taken(self) -> bool:
        """Tell whether the coming edge takes the offered beat."""
        return self.is_offered and bool(self.ready.value)


class _Sink:
    """Takes one output stream and watches that an offered beat does not change."""

    def __init__(self, dut: Any, port: str) -> None:
        self.payload = getattr(dut, f"{port}__payload")
        self.valid = getattr(dut, f"{port}__valid")
        self.ready = getattr(dut, f"{port}__ready")
        self.taken: list[int] = []
        self.waiting: int | None = None
        self.faults: list[str] = []

    def watch(self, edge: int, ready: bool) -> bool:
        """Read the port before an edge; return whether the edge delivers a beat."""
        valid = self.valid.value
        if not valid.is_resolvable:
            self.faults.append(f"edge {edge}: valid of c is undefined")
            return False
        if not valid:
            if self.waiting is not None:
                self.faults.append(f"edge {edge}: c takes back a beat that was not accepted")
            self.waiting = None
            return False
        payload = self.payload.value.to_unsigned()
        if self.waiting not in {None, payload}:
            self.faults.append(f"edge {edge}: c changes a beat that was not accepted")
        self.waiting = None if ready else payload
        if ready:
            self.taken.append(payload)
        return ready


async def _play(dut: Any, case: Mapping[str, Any]) -> dict[str, Any]:
    """Play one case; return its record."""
    draw = random.Random(case["stall_seed"])
    rate = case["stall_rate"]
    sources = {port: _Source(dut, port, beats) for port, beats in case["beats"].items()}
    sink = _Sink(dut, "c")
    edge, first_edge, last_edge, quiet = 0, 0, 0, 0
    start = time.perf_counter()
    while quiet < _SETTLE_EDGES and edge < case["max_edges"]:
        edge += 1
        for source in sources.values():
            source.offer(draw.random() >= rate)
        ready = draw.random() >= rate
        dut.c__ready.value = ready
        await Timer(1, "ns")
        taken = {port: source.is_taken() for port, source in sources.items()}
        if sink.watch(edge, ready):
            last_edge = edge
        if taken["cmd"]:
            first_edge = edge
        dut.clk.value = 1
        await Timer(1, "ns")
        dut.clk.value = 0
        for port, source in sources.items():
            source.withdraw_taken(taken[port])
        # After the last beat that is due, keep the clock running: a doubled beat would show now.
        quiet = quiet + 1 if len(sink.taken) >= case["result_beats"] else 0
    return {
        "name": case["name"],
        "edges": last_edge - first_edge + 1 if first_edge else 0,
        "sent": {port: source.sent for port, source in sources.items()},
        "c": [f"{payload:x}" for payload in sink.taken],
        "faults": sink.faults,
        "seconds": time.perf_counter() - start,
    }


@cocotb.test()
async def play_plan(dut: Any) -> None:
    """Reset once, then play every case of the plan back to back."""
    plan = json.loads(Path(os.environ["BITWEIGHT_PLAN"]).read_text())
    for port in plan["cases"][0]["beats"]:
        getattr(dut, f"{port}__valid").value = 0
        getattr(dut, f"{port}__payload").value = 0
    dut.c__ready.value = 0
    dut.clk.value = 0
    dut.rst.value = 1
    for _ in range(2):
        await Timer(1, "ns")
        dut.clk.value = 1
        await Timer(1, "ns")
        dut.clk.value = 0
    dut.rst.value = 0
    record = [await _play(dut, case) for case in plan["cases"]]
    Path(os.environ["BITWEIGHT_RECORD"]).write_text(json.dumps(record))
