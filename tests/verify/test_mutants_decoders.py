"""Planted faults of the table and dual-grained decoders: the bench must see every one of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from planting import ANOTHER_BEAT

from bitweight.rtl import emit
from bitweight.rtl.build import module_name
from bitweight.sim import design
from bitweight.sim.datapath import draw
from bitweight.sim.datapaths.dual_grained import DualGrainedSpec
from bitweight.verify import Work, check_engine
from bitweight.workloads.packed_weights import PackedWeights

pytestmark = pytest.mark.slow

NF4, NF3, DUAL = "decoder/nf4", "decoder/nf3", "decoder/dual_grained"
PAIRED, FACTORED = "pe.lookup=paired", "pe.group_scale=factored"
K = 304
LEAST_ACC = f"pe.max_k={K}"


@dataclass(frozen=True)
class Fault:
    """An edit of the first place that matches in one module.

    Attributes:
        name: What is broken.
        design: The engine, at 1 row and 2 columns.
        module: Its module, by the end of the name.
        old: Text to find.
        new: What stands there instead.
        setting: A switch of the datapath.
    """

    name: str
    design: str
    module: str
    old: str
    new: str
    setting: str = ""


FAULTS = [
    Fault("second code of a pair read for the first", NF4, "_column", "units[7:4]", "units[3:0]"),
    Fault("pairs of a word exchanged", NF4, "_column", "units[15:12]", "units[7:4]"),
    Fault("entry one too great", NF4, "_column", "8'ha8", "8'ha9"),
    Fault("entry without its sign", NF4, "_column", "8'h81", "8'h7f"),
    Fault("entries of one pair exchanged", NF4, "_column", "16'ha881", "16'h81a8", PAIRED),
    Fault("beat's sum a bit short", NF4, "_cell", "[17:0];", "[16:0] | 18'h00000;"),
    Fault("group's sum a bit short", NF4, "_cell", "[21:0];", "[20:0] | 22'h000000;"),
    Fault("pairs taken word after word", NF3, "_column", "units[37:35]", "units[11:9]"),
    Fault("top bits of word 0 taken twice", NF3, "_column", "units[95:94]", "units[31:30]"),
    Fault("top bits of words reversed", NF3, "_column", "units[31:30]", "units[95:94]"),
    Fault("nibbles swapped", DUAL, "_column", "units[7:4]", "units[3:0]"),
    Fault("zero point left out", DUAL, "_column", "units[19:16] - side[11:8]", "units[19:16]"),
    Fault("zero point read for the scale", DUAL, "_column", "side[6:0]", "side[14:8]"),
    Fault("difference without its sign", DUAL, "_column", r"$signed(\$3 )", r"\$3 [3:0]"),
    Fault("weight without its sign", DUAL, "_cell", "$signed(column[23:16])", "column[22:16]"),
    Fault("whole sum a bit short", DUAL, "_cell", "[23:0];", "[22:0] | 24'h000000;", LEAST_ACC),
    Fault("scale of the beat behind", DUAL, "_cell", "s2_0 }", "column[46:40] }", FACTORED),
    Fault("scaled sum a bit short", DUAL, "_cell", "[17:0];", "[16:0] | 18'h00000;", FACTORED),
    Fault("side integers of a neighbour", DUAL, "", "s_register[31:16])", "s_register[15:0])"),
]


def planted(text: str, top: str, fault: Fault) -> str:
    modules = re.split(r"(?m)^(?=module )", text)
    at = next(i for i, m in enumerate(modules) if m.startswith(f"module {top}{fault.module}("))
    assert fault.old in modules[at], modules[at]
    modules[at] = modules[at].replace(fault.old, fault.new, 1)
    return "".join(modules)


def works(pe: Any) -> Iterator[Work]:
    rng = np.random.default_rng(4)
    for m, n, k in ((3, 4, K), (1, 2, 9)):
        a = rng.integers(-128, 128, (m, k))
        yield Work(f"drawn {m}x{k}x{n}", a, draw(pe, rng, k=k, n=n))
    yield Work("greatest sums", np.full((2, K), -128), all_least(pe))


def all_least(pe: Any) -> PackedWeights:
    """Return one output whose weights are all as far below 0 as can be."""
    ones = np.ones((1, 3), np.float16)
    if isinstance(pe, DualGrainedSpec):
        return pe.format.pack(
            np.full((K, 1), 7), np.full((1, 3), 127), np.full((1, 3), 8), ones[0, :1]
        )
    return pe.format.pack(np.zeros((K, 1), int), ones)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_bench_catches(fault: Fault) -> None:
    settings = ["rows=1", "columns=2", *([fault.setting] if fault.setting else [])]
    spec: Any = design(fault.design, settings)
    broken = planted(emit(spec), module_name(spec.name), fault)
    outcomes = check_engine(spec, list(works(spec.pe)), verilog=broken)
    first = next(outcome for outcome in outcomes if outcome.fault)
    assert re.fullmatch(ANOTHER_BEAT, first.fault), first.fault
