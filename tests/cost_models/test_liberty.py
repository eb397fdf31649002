"""Liberty: functions against truth tables, tables by hand, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_gates import TINY, tiny_library

from bitweight.cost_models.liberty import Library, Table
from bitweight.cost_models.liberty_function import evaluate

STATES = {
    pin: np.array([bits >> place & 1 for bits in range(8)], np.bool_)
    for place, pin in enumerate("ABC")
}


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("A", lambda a, b, c: a),
        ("!A", lambda a, b, c: not a),
        ("A'", lambda a, b, c: not a),
        ("(A B)'", lambda a, b, c: not (a and b)),
        ("!(A*B)", lambda a, b, c: not (a and b)),
        ("A+B*C", lambda a, b, c: a or (b and c)),
        ("A ^ B ^ C", lambda a, b, c: a ^ b ^ c),
        ("A | B & !C", lambda a, b, c: a or (b and not c)),
        ("A ^ B C", lambda a, b, c: a ^ (b and c)),
        ("(!A) + (!B)", lambda a, b, c: not (a and b)),
        ("A*1 + B*0", lambda a, b, c: a),
    ],
)
def test_functions_have_their_truth_tables(
    expression: str, wanted: Callable[[bool, bool, bool], bool]
) -> None:
    values = evaluate(expression, STATES)
    assert [bool(v) for v in values] == [
        bool(wanted(*(bool(STATES[pin][bits]) for pin in "ABC"))) for bits in range(8)
    ]


@pytest.mark.parametrize("expression", ["", "A +", "(A", "A)", "D", "A ~ B", "!"])
def test_what_is_no_function_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="Liberty function must be Boolean"):
        evaluate(expression, STATES)


def test_tables_are_linear_between_their_points_and_beyond() -> None:
    table = Table(
        slews_ns=np.array([0.1, 0.3]),
        loads_ff=np.array([1.0, 3.0]),
        values=np.array([[3.0, 5.0], [7.0, 9.0]]),
    )
    slews, loads = np.array([0.1, 0.2, 0.3, 0.1]), np.array([1.0, 2.0, 3.0, 0.0])
    assert table.at(slews, loads).tolist() == pytest.approx([3.0, 6.0, 9.0, 2.0])


def test_units_and_rails_of_a_cell() -> None:
    cell = tiny_library().cell("NAND2")
    assert cell.inputs == ("A", "B")
    assert cell.capacitances_ff == {"A": 1.5, "B": 2.0}
    (group,) = [power for power in cell.powers if power.pin == "A"]
    # Both rails, 1 fF x 1 V^2 = 0.001 pJ each unit.
    energy = sum(table.at(np.zeros(1), np.zeros(1))[0] for table in group.rise)
    assert energy == pytest.approx(0.75e-3)
    assert [arc.related for arc in cell.arcs] == ["A", "B"]


def test_a_flip_flop_has_its_clock_apart() -> None:
    cell = tiny_library().cell("DFFR_NO_DEFAULT")
    assert cell.inputs == ("D", "RN")
    assert cell.flip_flop is not None
    assert (cell.flip_flop.clock, cell.flip_flop.asynchronous) == ("CK", ("!RN",))


def test_cells_that_are_not_modelled_are_refused_by_name() -> None:
    library = tiny_library()
    with pytest.raises(ValueError, match="LATCH must be combinational or a flip-flop, but has a l"):
        library.cell("LATCH")
    with pytest.raises(ValueError, match="Cell must be in the Liberty files, not 'XOR9'"):
        library.cell("XOR9")


def test_files_must_share_a_voltage_and_have_cells(tmp_path: Path) -> None:
    other = tmp_path / "other.lib"
    other.write_text(TINY.read_text().replace("nom_voltage : 2.0", "nom_voltage : 1.0"))
    with pytest.raises(ValueError, match=r"must share one nom_voltage, not \[1.0, 2.0\]"):
        Library.read([TINY, other])
    other.write_text("module top; endmodule")
    with pytest.raises(ValueError, match="must be an unzipped Liberty file"):
        Library.read([other])
