"""Measured points that nobody measured: round numbers for tests of reports."""

from collections.abc import Iterable

from bitweight.cost_models.measurements import (
    Block,
    BlockEnergy,
    EnergyPoint,
    Measurements,
    NetlistPoint,
)

# Of each design: period, area of one PE, energy of a busy slot.
FIGURES = {
    ("systolic_os/mac", ()): (4.0, 100.0, 2.0),
    ("systolic_os/mac", ("pe.structure=fused",)): (3.2, 125.0, 2.0),
    ("systolic_os/carry_save", ()): (2.0, 150.0, 3.0),
    ("column/grouped", ()): (2.0, 60.0, 0.5),
    ("bit_slice/laconic", ()): (2.5, 400.0, 4.0),
    ("pe:mac", ()): (3.8, 100.0, 0.0),
    ("pe:carry_save", ()): (1.9, 150.0, 0.0),
}
WITHOUT_ENERGY = ("column/grouped",)
SLOTS = 256
DIGITS = {"systolic_os/carry_save": 4}
"""Digit slots of a PE and clock, where they are not one."""


def made_up(technology: str, scale: float = 1.0, designs: Iterable[str] = ()) -> Measurements:
    """Return two netlists of each design, the slower a fifth smaller, and two runs of it.

    Args:
        technology: Name of the technology.
        scale: Factor of areas and energies.
        designs: Designs to have; none means all.
    """
    wanted = set(designs) or {design for design, _ in FIGURES}
    netlists, energies = [], []
    for (design, settings), (delay_ns, pe_um2, slot_pj) in FIGURES.items():
        if design not in wanted:
            continue
        for slow in (1, 2):
            point = netlist(design, settings, delay_ns * slow, scale * pe_um2 * (1.2 - slow / 5))
            netlists.append(point)
        if slot_pj and design not in WITHOUT_ENERGY:
            energies += [run(netlists[-2], share, scale * slot_pj) for share in (0, 1)]
    return Measurements(
        technology=technology,
        header={"technology": technology},
        netlists=tuple(netlists),
        energies=tuple(energies),
    )


def netlist(design: str, settings: tuple[str, ...], delay_ns: float, pe_um2: float) -> NetlistPoint:
    top = design.removeprefix("pe:").replace("/", "_")
    return NetlistPoint(
        design=design,
        settings=settings,
        target_ns=delay_ns,
        recipe="plain/small/fast",
        verilog_sha256="0",
        delay_ns=delay_ns,
        path_from="b[0]",
        path_to="acc[31]",
        blocks=(
            block(top, 1, 10 * pe_um2, 20),
            block(f"{top}_cell", SLOTS, pe_um2, 64 if "carry" in design else 32),
        ),
        memories=(),
    )


def block(module: str, instances: int, area_um2: float, flip_flops: int) -> Block:
    return Block(
        module=module,
        instances=instances,
        area_um2=area_um2,
        leakage_uw=0.0,
        cells=1,
        flip_flops=flip_flops,
    )


def run(point: NetlistPoint, busy_share: int, slot_pj: float) -> EnergyPoint:
    """Return a run of 100 clocks; an idle slot costs a tenth of a busy one."""
    slots = 100 * SLOTS * DIGITS.get(point.design, 1)
    energy = BlockEnergy(
        module=point.blocks[1].module,
        switching_pj=busy_share * slots * slot_pj * 9 / 10,
        internal_pj=0.0,
        clock_pj=slots * slot_pj / 10,
    )
    return EnergyPoint(
        design=point.design,
        settings=point.settings,
        target_ns=point.target_ns,
        recipe=point.recipe,
        stream="busy" if busy_share else "idle",
        clocks=100,
        busy_slots=busy_share * slots,
        idle_slots=(1 - busy_share) * slots,
        blocks=(energy,),
    )
