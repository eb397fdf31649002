"""Exponent-field adder in lockstep with its model in Amaranth's simulator."""

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitweight.rtl import component
from bitweight.rtl.build import emit
from bitweight.sim.datapaths.exponent_add import ExponentAddSpec, ExponentForm, add_exponent

# Zero, the ends of subnormals, of normals, infinity and NaN; both signs.
_MAGNITUDES = (0, 1, 2, 3, 0x1FF, 0x200, 0x3FE, 0x3FF, 0x400, 0x401, 0x403, 0x3C00, 0x3C01, 0x3FFF)
_ENDS = (0x7800, 0x7BFE, 0x7BFF, 0x7C00, 0x7C01, 0x7FFF)
CORNERS = [sign | bits for sign in (0, 0x8000) for bits in (*_MAGNITUDES, *_ENDS)]


def steps(width: int) -> list[tuple[int, int]]:
    least, most = -(1 << (width - 1)), (1 << (width - 1)) - 1
    rng = np.random.default_rng(width)
    shifts = sorted({*range(max(least, -32), min(most, 32) + 1), least, most})
    drawn = zip(rng.integers(0, 1 << 16, 2000), rng.integers(least, most + 1, 2000), strict=True)
    return [(v, s) for v in CORNERS for s in shifts] + [(int(v), int(s)) for v, s in drawn]


@pytest.mark.parametrize("width", [8, 5, 2])
@pytest.mark.parametrize("form", ExponentForm)
def test_adder_runs_in_lockstep_with_its_model(form: ExponentForm, width: int) -> None:
    spec = ExponentAddSpec(form=form, shift_width=width)
    adder = component(spec)
    played = steps(width)
    values, shifts = np.array(played).T
    model = add_exponent(form, values.astype(np.uint16), shifts)
    compared = 0

    async def bench(context: Any) -> None:
        nonlocal compared
        for clock, ((value, shift), wanted) in enumerate(zip(played, model, strict=True)):
            context.set(adder.value, value)
            context.set(adder.shift, shift)
            await context.tick()
            found = context.get(adder.product)
            message = f"cycle {clock}, {value:#06x} by {shift}: RTL {found:#06x}"
            assert found == wanted, f"{message}, model {wanted:#06x}"
            compared += 1

    simulator = Simulator(adder)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert compared == len(played)


def test_both_forms_are_emitted() -> None:
    for form in ExponentForm:
        assert f"module exponent_add_{form}(" in emit(ExponentAddSpec(form=form))
