"""Flat netlists: hierarchy, feedthroughs, order of evaluation, memories, and what is refused."""

import numpy as np
import pytest
from tiny_gates import module, tiny_circuit, tiny_library, wave

from bitweight.cost_models.netlist import flatten


def test_a_wire_through_a_module_is_one_net() -> None:
    through = module({"i": ("input", [2]), "o": ("output", [2])}, {})
    top = module(
        {"a": ("input", [2]), "clk": ("input", [9]), "y": ("output", [4])},
        {
            "u": ("through", {"i": [2], "o": [3]}),
            "v": ("through", {"i": [3], "o": [5]}),
            "g": ("INV", {"A": [5], "Y": [4]}),
        },
    )
    netlist = flatten({"modules": {"top": top, "through": through}}, "top", tiny_library())
    (group,) = netlist.groups
    assert group.inputs[0, 0] == netlist.inputs["a"][0]


def test_a_constant_output_of_a_module_is_a_constant() -> None:
    tied = module({"o": ("output", ["1"])}, {})
    top = module(
        {"a": ("input", [2]), "clk": ("input", [9]), "y": ("output", [4])},
        {"u": ("tied", {"o": [3]}), "g": ("NAND2", {"A": [2], "B": [3], "Y": [4]})},
    )
    circuit = tiny_circuit(top, tied=tied)
    run = circuit.run(clocks=3, waves={"a": wave(0, 1, 0)}, probe=["y"])
    assert run.probed[:, 0].tolist() == [1, 0, 1]


def test_cells_are_evaluated_after_those_that_drive_them() -> None:
    # Written last to first: y = !(!(!a)).
    top = module(
        {"a": ("input", [2]), "clk": ("input", [9]), "y": ("output", [5])},
        {
            "k": ("INV", {"A": [4], "Y": [5]}),
            "h": ("INV", {"A": [3], "Y": [4]}),
            "g": ("INV", {"A": [2], "Y": [3]}),
        },
    )
    run = tiny_circuit(top).run(clocks=4, waves={"a": wave(0, 1, 1, 0)}, probe=["y"])
    assert run.probed[:, 0].tolist() == [1, 0, 0, 1]


def test_a_memory_reads_what_stood_there_before_the_write() -> None:
    memory = {
        "RD_CLK": [2],
        "RD_EN": ["1"],
        "RD_ADDR": [3],
        "RD_DATA": [4, 5],
        "WR_CLK": [2],
        "WR_EN": [6, 6],
        "WR_ADDR": [3],
        "WR_DATA": [7, 8],
    }
    top = module(
        {
            "clk": ("input", [2]),
            "address": ("input", [3]),
            "write": ("input", [6]),
            "data": ("input", [7, 8]),
            "read": ("output", [4, 5]),
        },
        {"m": ("memory_2x2", memory)},
    )
    circuit = tiny_circuit(top)
    data = np.array([[1, 0], [0, 1], [0, 0], [0, 0], [0, 0]], np.uint8)
    run = circuit.run(
        clocks=5,
        waves={"address": wave(0, 1, 0, 1, 0), "write": wave(1, 1, 0, 0, 1), "data": data},
        probe=["read"],
    )
    read = run.probed @ np.array([1, 2])
    assert read.tolist() == [0, 0, 0, 1, 2]
    assert run.uses.tolist() == [[5, 3]]


def test_a_clear_message_for_every_netlist_that_cannot_be() -> None:
    loop = module(
        {"clk": ("input", [9])},
        {"g": ("INV", {"A": [2], "Y": [3]}), "h": ("INV", {"A": [3], "Y": [2]})},
    )
    with pytest.raises(ValueError, match="Gates must make no loop; one goes through a INV"):
        tiny_circuit(loop)
    unknown = module({"clk": ("input", [9])}, {"g": ("XOR9", {"A": [2]})})
    with pytest.raises(ValueError, match="Cell g must be of the library, a module or a memory, no"):
        tiny_circuit(unknown)
    open_input = module({"clk": ("input", [9])}, {"g": ("INV", {"Y": [2]})})
    with pytest.raises(ValueError, match="Cell g must be connected at A"):
        tiny_circuit(open_input)
    gated = module(
        {"clk": ("input", [9]), "d": ("input", [2])},
        {
            "g": ("INV", {"A": [9], "Y": [3]}),
            "f": ("DFF", {"CK": [3], "D": [2], "Q": [4]}),
        },
    )
    with pytest.raises(ValueError, match="Every DFF must be clocked by the input clk"):
        tiny_circuit(gated)
    with pytest.raises(ValueError, match="Netlist must have a module top"):
        flatten({"modules": {}}, "top", tiny_library())
