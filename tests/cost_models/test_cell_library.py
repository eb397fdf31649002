import re
from pathlib import Path

import pytest

from bitweight.cost_models.cell_library import read_library

FIVE_CELLS = Path(__file__).parents[1] / "data" / "five_cells.lib"


def test_a_reduced_library_has_the_same_cells_and_tables_without_power(tmp_path: Path) -> None:
    text = FIVE_CELLS.read_text().replace(
        "    ff (IQ, IQN) {",
        "    internal_power () {\n      rise_power (d) { values (1); }\n    }\n    ff (IQ, IQN) {",
    )
    given = tmp_path / "with_power.lib"
    given.write_text(text)
    library = read_library([given])
    assert "power" not in library.texts[0].replace("leakage_power_unit", "").replace(
        "cell_leakage_power", ""
    )
    # An independent count: what is left of each cell is what the file without power has.
    assert re.findall(r"cell \((\w+)\)", library.texts[0]) == ["INV", "BUF", "NAND2", "NOR2", "DFF"]
    assert library.texts[0].count("values") == FIVE_CELLS.read_text().count("values")
    assert library.texts[0].count("{") == library.texts[0].count("}")


def test_leakage_is_the_cells_or_the_mean_of_its_states() -> None:
    cells = read_library([FIVE_CELLS]).cells
    assert cells["NAND2"].leakage_uw == pytest.approx(0.003)  # 3 nW
    assert cells["DFF"].leakage_uw == pytest.approx(0.005)  # 4 nW and 6 nW
    assert [name for name, cell in cells.items() if cell.is_flip_flop] == ["DFF"]


def test_supply_pins_of_a_state_add_up_before_the_mean(tmp_path: Path) -> None:
    given = tmp_path / "two_pins.lib"
    ground = '    leakage_power () {\n      when : "D";\n      value : 2;\n    }\n    ff'
    given.write_text(FIVE_CELLS.read_text().replace("    ff", ground, 1))
    assert read_library([given]).cells["DFF"].leakage_uw == pytest.approx(0.006)  # (4 + 2 + 6) / 2


def test_the_buffer_is_the_largest_within_the_drive() -> None:
    assert read_library([FIVE_CELLS]).buffer(2.05) == ("BUF", "A", "Y")


def test_cells_that_must_not_be_used_are_nowhere() -> None:
    library = read_library([FIVE_CELLS], dont_use=["N*"])
    assert set(library.cells) == {"INV", "BUF", "DFF"}
    assert "NAND2" not in library.texts[0]


def test_a_library_without_a_buffer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"five_cells\.lib must have a buffer among their cells"):
        read_library([FIVE_CELLS], dont_use=["BUF"]).buffer(2)


def test_what_is_no_liberty_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.lib"
    other.write_text("module top; endmodule\n")
    with pytest.raises(ValueError, match="must be an unzipped Liberty file"):
        read_library([other])
    other.write_text(FIVE_CELLS.read_text().replace('time_unit : "1ns"', 'time_unit : "1ps"'))
    with pytest.raises(ValueError, match="must share one time_unit"):
        read_library([FIVE_CELLS, other])
