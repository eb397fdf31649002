"""Memories that a spec says it holds are those of the Verilog."""

import pytest

from bitweight.cost_models.composition import calibration_sizes
from bitweight.cost_models.held_memories import held_memories
from bitweight.rtl import emit
from bitweight.rtl.build import memories
from bitweight.sim import DESIGNS, design
from bitweight.sim.spec import DesignSpec


def both(spec: DesignSpec) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    found = [tuple(block[1:]) for block in memories(emit(spec))]
    return [tuple(held) for held in held_memories(spec) if held.is_memory], found


@pytest.mark.parametrize("name", DESIGNS)
def test_small_sizes(name: str) -> None:
    held, found = both(calibration_sizes(design(name))[0])
    assert held == found


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("systolic_ws/mac", ["rows=12", "cols=3", "saturate_to=16"]),
        ("systolic_ws/carry_save", ["rows=3", "cols=14", "acc_depth=40"]),
        ("column/grouped", ["columns=3", "pes=5", "acc_depth=18", "double_buffer=false"]),
        ("column/dealt", ["pes=3", "k_depth=512"]),
        ("column/shared_encoder/int8xnf4", ["engine.columns=2", "engine.pes=3"]),
    ],
)
def test_other_fields(name: str, settings: list[str]) -> None:
    held, found = both(design(name, settings))
    assert found
    assert held == found
