"""What ``cost --fpga`` prints: placed counts and clocks of a design and of its PE."""

from collections.abc import Iterable
from pathlib import Path

from bitweight.cli.output import print_json, print_table
from bitweight.cost_models.fpga import FAMILIES, FpgaCost, fpga_costs, load_fpga
from bitweight.sim.catalog import address, design, pe_address, pe_design

_COLUMNS = ("design", "settings", "DSP allowed", "LUT", "FF", "DSP", "BRAM", "Fmax MHz")


def print_fpga(
    name: str, settings: Iterable[str], family: str, *, data: Path | None, json: bool
) -> None:
    """Print what is known of an engine, or of ``pe:`` and a PE, on a family of FPGAs.

    Args:
        name: The design.
        settings: Fields that differ.
        family: Name of the family.
        data: File of points instead of the shipped one.
        json: Print JSON.

    Raises:
        ValueError: If nothing is; the message names the command that makes a point.
    """
    pe = pe_design(name, settings)
    where = address(design(name, settings)) if pe is None else pe_address(pe)
    costs = fpga_costs(where, family, None if data is None else load_fpga(data))
    if json:
        points = [cost.as_dict() for cost in costs]
        print_json({"design": where[0], "fpga": family, "points": points})
        return
    print_table(_COLUMNS, [_row(cost) for cost in costs])
    known = FAMILIES[family]
    print_table(
        ("device", "BRAM kbit", "provenance", "tools"),
        [(known.device, known.bram_kbit, str(costs[0].provenance), costs[0].tools)],
    )


def _row(cost: FpgaCost) -> tuple[object, ...]:
    point = cost.point
    return (
        point.design,
        " ".join(point.settings) or "default",
        "yes" if point.with_dsp else "no",
        *(point.luts, point.ffs, point.dsps, point.brams),
        "not placed" if cost.fmax_mhz is None else round(cost.fmax_mhz, 1),
    )
