"""The energy calculator by hand, state by state, on circuits of a few cells of ``data/hand.lib``.

All energies there are in fJ: 1 fF x 1 V^2. The supply is 2 V, so a move of a net takes 2 fJ per fF.
"""

import numpy as np
import pytest
from tiny_gates import module, tiny_circuit, tiny_library, wave

from bitweight.cost_models.gate_energy import block_energies
from bitweight.cost_models.gate_run import Circuit
from bitweight.cost_models.glitch_run import with_delays

NAND = module(
    {"a": ("input", [2]), "b": ("input", [3]), "clk": ("input", [5]), "y": ("output", [4])},
    {"g": ("NAND2", {"A": [2], "B": [3], "Y": [4]})},
)

# Old (a, b), new (a, b), internal energy in fJ. Where both inputs move, both passive groups are
# read in the new state, and Y takes the mean over the inputs that have a group for it there.
NAND_ENERGIES = [
    ((0, 0), (0, 1), 1.0),
    ((0, 0), (1, 0), 0.75),
    ((0, 0), (1, 1), (4 + 6) / 2),
    ((0, 1), (0, 0), 1.0),
    ((0, 1), (1, 0), 0.75),
    ((0, 1), (1, 1), 4.0),
    ((1, 0), (0, 0), 0.375),
    ((1, 0), (0, 1), 1.0),
    ((1, 0), (1, 1), 6.0),
    # A's group for Y holds with B only, and B has fallen: what B takes, and both passive ones.
    ((1, 1), (0, 0), 7 + 0.375 + 1),
    ((1, 1), (0, 1), 5.0),
    ((1, 1), (1, 0), 7.0),
]


def test_every_change_of_a_nand_takes_what_its_states_say() -> None:
    assert len(NAND_ENERGIES) == 4 * 3
    for old, new, wanted in NAND_ENERGIES:
        circuit = tiny_circuit(NAND)
        circuit.run(clocks=1, waves={"a": wave(old[0]), "b": wave(old[1])})
        run = circuit.run(clocks=1, waves={"a": wave(new[0]), "b": wave(new[1])})
        (block,) = block_energies(circuit.netlist, run, tiny_library())
        assert block.internal_pj == pytest.approx(wanted * 1e-3), (old, new)
        # Pins of 1.5 and 2 fF at the inputs; nothing hangs on Y.
        moves = 1.5 * (old[0] != new[0]) + 2 * (old[1] != new[1])
        assert block.switching_pj == pytest.approx(moves * 2e-3)
        assert block.clock_pj == 0


def test_internal_energy_is_read_at_load_and_slew() -> None:
    # g drives two inverters, 2 fF: between its two loads at the smallest slew, rise takes 4 fJ.
    # They drive nothing and see the slew that g has at 2 fF, 0.2: between slews, at no load, 4 fJ.
    circuit = tiny_circuit(
        module(
            {"a": ("input", [2]), "clk": ("input", [6])},
            {
                "g": ("INV", {"A": [2], "Y": [3]}),
                "h": ("INV", {"A": [3], "Y": [4]}),
                "i": ("INV", {"A": [3], "Y": [5]}),
            },
        )
    )
    circuit.run(clocks=1, waves={"a": wave(1)})
    run = circuit.run(clocks=1, waves={"a": wave(0)})
    (block,) = block_energies(circuit.netlist, run, tiny_library())
    assert block.internal_pj == pytest.approx((4 + 2 + 2) * 1e-3)
    assert block.switching_pj == pytest.approx((1 + 2) * 2e-3)
    run = circuit.run(clocks=1, waves={"a": wave(1)})
    (block,) = block_energies(circuit.netlist, run, tiny_library())
    assert block.internal_pj == pytest.approx((2 + 4 + 4) * 1e-3)


FLOP = module(
    {"d": ("input", [2]), "clk": ("input", [3]), "q": ("output", [4])},
    {"f": ("DFF", {"CK": [3], "D": [2], "Q": [4]})},
)


def test_a_flip_flop_clock_by_clock() -> None:
    # D 0 1 1 0 0: before the edges (D, Q) is 00, 10, 11, 01, and after them 10, 11, 01, 00.
    # Rises: 12, default 20, 10, 20. Falls: default 16, 8, 16, 9. Defaults are no additions.
    # D rises once and falls once while the clock is high: 3 and 2. Q: 30 and 25.
    circuit = tiny_circuit(FLOP)
    run = circuit.run(clocks=4, waves={"d": wave(0, 1, 1, 0, 0)})
    (block,) = block_energies(circuit.netlist, run, tiny_library())
    clock = 12 + 20 + 10 + 20 + 16 + 8 + 16 + 9
    pins = 4 * 2 * 1.25 * 2
    assert block.clock_pj == pytest.approx((clock + pins) * 1e-3)
    assert block.internal_pj == pytest.approx((3 + 2 + 30 + 25) * 1e-3)
    assert block.switching_pj == pytest.approx(2 * 0.75 * 2e-3)


def test_without_a_default_states_that_no_group_covers_take_nothing() -> None:
    circuit = tiny_circuit(
        module(
            {"d": ("input", [2]), "clk": ("input", [3]), "q": ("output", [4])},
            {"f": ("DFFR_NO_DEFAULT", {"CK": [3], "D": [2], "RN": ["1"], "QN": [4]})},
        )
    )
    run = circuit.run(clocks=3, waves={"d": wave(1, 1, 0, 0)}, probe=["q"])
    # (D, Q) before the edges: 10, 11, 01; after them: 11, 01, 00.
    (block,) = block_energies(circuit.netlist, run, tiny_library())
    assert block.clock_pj == pytest.approx((10 + 8 + 3 * 2 * 1.25 * 2) * 1e-3)
    assert run.probed[:, 0].tolist() == [1, 0, 0]


def test_an_active_clear_is_refused() -> None:
    circuit = tiny_circuit(
        module(
            {"d": ("input", [2]), "clk": ("input", [3])},
            {"f": ("DFFR_NO_DEFAULT", {"CK": [3], "D": [2], "RN": ["0"], "QN": [4]})},
        )
    )
    with pytest.raises(ValueError, match="Clear or preset of flip-flop 0 must never be active"):
        circuit.run(clocks=1)


def test_energy_goes_to_the_module_that_drives() -> None:
    inner = module(
        {"i": ("input", [2]), "o": ("output", [3])}, {"g": ("INV", {"A": [2], "Y": [3]})}
    )
    top = module(
        {"a": ("input", [2]), "clk": ("input", [5])},
        {
            "u": ("inner", {"i": [2], "o": [3]}),
            "v": ("inner", {"i": [3], "o": [4]}),
            "g": ("INV", {"A": [4], "Y": [6]}),
        },
    )
    circuit = tiny_circuit(top, inner=inner)
    circuit.run(clocks=1, waves={"a": wave(0)})
    run = circuit.run(clocks=1, waves={"a": wave(1)})
    blocks = {b.module: b for b in block_energies(circuit.netlist, run, tiny_library())}
    assert blocks["inner"].switching_pj == pytest.approx(2 * 2e-3)
    # The input's pin: whoever drives it.
    assert blocks["top"].switching_pj == pytest.approx(2e-3)


def test_nothing_moves_and_nothing_is_spent_but_by_clocks() -> None:
    circuit = tiny_circuit(FLOP)
    run = circuit.run(clocks=5)
    (block,) = block_energies(circuit.netlist, run, tiny_library())
    assert (block.switching_pj, block.internal_pj) == (0, 0)
    assert block.clock_pj == pytest.approx(5 * (12 + 9 + 5) * 1e-3)
    assert np.array_equal(run.toggles, np.zeros_like(run.toggles))


# g sees Q, and Q inverted a little later: as Q rises both of its inputs are 1 for a while.
HAZARD = module(
    {"a": ("input", [2]), "clk": ("input", [6]), "y": ("output", [5])},
    {
        "f": ("DFF", {"CK": [6], "D": [2], "Q": [3]}),
        "h": ("INV", {"A": [3], "Y": [4]}),
        "g": ("NAND2", {"A": [3], "B": [4], "Y": [5]}),
    },
)


def _hazard() -> Circuit:
    """Return the circuit once it has settled."""
    circuit = tiny_circuit(HAZARD)
    circuit.run(clocks=1)
    return circuit


def test_delays_show_the_glitch_that_settled_values_do_not() -> None:
    circuit = _hazard()
    y = circuit.netlist.outputs["y"][0]
    assert circuit.run(clocks=3, waves={"a": wave(1, 0, 0, 0)}).toggles[y] == 0
    circuit = _hazard()
    delayed = with_delays(circuit, tiny_library())
    delayed.delays.gate[_inverter(circuit)] = 0.5
    run = delayed.run(clocks=3, waves={"a": wave(1, 0, 0, 0)}, probe=["y"])
    assert run.toggles[y] == 2
    assert run.probed[:, 0].tolist() == [1, 1, 1]
    # As Q rises g goes from 01 over 11 to 10 (4 and 7) instead of straight (0.75); as it falls from
    # 10 over 00 to 01 (0.375 and 1) instead of straight (1).
    settled = _hazard().run(clocks=3, waves={"a": wave(1, 0, 0, 0)})
    extra = sum(map(np.sum, run.internal_pj)) - sum(map(np.sum, settled.internal_pj))
    assert extra == pytest.approx((4 + 7 - 0.75 + 0.375) * 1e-3)


def _inverter(circuit: Circuit) -> int:
    return int(np.flatnonzero(np.diff(circuit.machine.gates.in_start) == 1)[0])


def test_a_pulse_shorter_than_a_delay_does_not_show() -> None:
    circuit = _hazard()
    delayed = with_delays(circuit, tiny_library())
    delayed.delays.gate[:] = 0.3
    delayed.delays.gate[_inverter(circuit)] = 0.1
    run = delayed.run(clocks=3, waves={"a": wave(1, 0, 0, 0)})
    assert run.toggles[circuit.netlist.outputs["y"][0]] == 0


def test_delays_are_read_at_load_and_slew() -> None:
    circuit = _hazard()
    delays = with_delays(circuit, tiny_library()).delays
    assert delays.gate[delays.gate > 0].tolist() == pytest.approx([0.1] * 6)
    assert delays.flop.tolist() == [pytest.approx([0.2, 0.2])]


def test_runs_with_delays_refuse_memories() -> None:
    pins = {"RD_CLK": [2], "RD_EN": ["1"], "RD_ADDR": [3], "RD_DATA": [4], "WR_CLK": [2]}
    pins |= {"WR_EN": [6], "WR_ADDR": [3], "WR_DATA": [7]}
    top = module(
        {"clk": ("input", [2]), "i": ("input", [3, 6, 7]), "o": ("output", [4])},
        {"m": ("memory_2x1", pins)},
    )
    with pytest.raises(ValueError, match="must be of a netlist without memories"):
        with_delays(tiny_circuit(top), tiny_library())
