"""What designs cost on FPGAs, as a page of the docs, from the points that the package ships.

Run as a program it writes the page: ``python -m bitweight.reports.fpga docs/fpga.md``.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitweight.cost_models.fpga import FAMILIES, FpgaData, FpgaPoint, shipped_fpga
from bitweight.workloads.whole_files import write_whole

_HEAD = """# FPGAs

What the Verilog of each design takes of an FPGA, as open tools place it. `bitweight cost DESIGN
--fpga FAMILY` prints the rows of one design. {tools}; every row can be made again with
`python -m bitweight.verify.characterise.fpga DESIGN --fpga FAMILY --set FIELD=VALUE`.

- `ecp5`: {ecp5}. Synthesised with `-nowidelut`, placed and
  routed out of context in an empty device, seed 1, aiming at 250 MHz. LUTs are sites of four
  inputs; a bit of a carry chain is one, and a distributed RAM of 16 x 4 bits is six. Fmax is from
  register to register: ports are not timed, and another seed moves it by some 5 %. *Wires* is the
  share of the worst path that is routing.
- `xc7`, `ice40`: {xc7} and {ice40}, synthesis alone, so there is no clock. LUTs of six and four
  inputs, one cell each: pairs that a Xilinx site could share are counted as two, and LUTs that
  only let a bit pass to a carry chain not at all. Small memories are LUTs on the first (distributed
  RAM), block RAMs on the second, which has no other. Whether they fit in a device is not checked.
- PEs stand behind operand registers, one for each operand bit, which are counted; digit PEs have
  their own. Decoders turn one beat of packed words to weights between registers. Engines are at a
  small size, which their settings tell. What is left empty was not made yet.
- DSP blocks: {dsp}. What could not use one has no row without. Told to use iCE40's, yosys 0.70
  makes 4 of the 12 multipliers of `systolic_ws/mac` and nothing in place of the others.

## PEs and decoders

{parts}
## Small engines

{engines}
## Against an earlier measurement

Before this page, the same tools on the same device had given three numbers for int8 PEs.

{earlier}
They were made with yosys's default for ECP5, which joins LUTs to wider ones by multiplexers. With
that default ours take 70, 634 and 277 LUTs, at 109, 104 and 181 MHz. Here it is off
(`-nowidelut`), for every design alike: PEs take up to 59 % fewer LUTs, and clocks differ by 15 % at
most, either way.

The first clock was of a PE whose operands came straight from ports, which leaves only the
accumulator's carry chain to be timed; built that way ours gives 224 MHz. Behind operand registers
the path through the multiplier counts, and the clock halves: yosys leaves the registers inside the
DSP block unused. The second agrees within 6 %. With `structure=fused` that MAC takes half the LUTs
and is faster, so it is the opponent that counts where no DSP block is to be had. The third was of
published RTL. Ours has as many flip-flops and fewer LUTs, and is slower: with the default, seeds 1,
2 and 3 give 181, 183 and 189 MHz, and 207 without operand registers. What makes the difference is
not known, since that netlist was not kept.

Where multiplications go to LUTs, what the carry-save PE gains depends on its opponent. {verdict}
"""

_COLUMNS = (
    "| design | settings | DSP | ecp5 LUT | FF | DSP | BRAM | Fmax MHz | wires "
    "| xc7 LUT | FF | DSP | BRAM | ice40 LUT | FF | DSP | BRAM |\n"
    "| --- | --- | --- |" + " ---: |" * 14
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A number that was measured before the points were.

    Attributes:
        title: Of what.
        key: The point of ours that it is held against.
        luts: LUTs.
        fmax_mhz: Clock.
    """

    title: str
    key: tuple[str, str, tuple[str, ...], bool]
    luts: int
    fmax_mhz: float


EARLIER = (
    Earlier(title="plain MAC, DSP block", key=("ecp5", "pe:mac", (), True), luts=70, fmax_mhz=227),
    Earlier(
        title="plain MAC, LUTs alone", key=("ecp5", "pe:mac", (), False), luts=654, fmax_mhz=110
    ),
    Earlier(title="carry-save PE", key=("ecp5", "pe:carry_save", (), True), luts=289, fmax_mhz=224),
)


def page(data: FpgaData) -> str:
    """Return the page in Markdown."""
    points = data.points.values()
    return _HEAD.format(
        tools=f"Made with {data.header['tools']}",
        dsp=", ".join(f"{one.name} {one.dsp}" for one in FAMILIES.values()),
        **{one.name: f"{one.title} ({one.device})" for one in FAMILIES.values()},
        parts=_table([point for point in points if ":" in point.design]),
        engines=_table([point for point in points if ":" not in point.design]),
        earlier=_earlier(data),
        verdict=_verdict(data),
    )


def _table(points: Sequence[FpgaPoint]) -> str:
    rows: dict[tuple[str, tuple[str, ...], bool], dict[str, FpgaPoint]] = {}
    for point in points:
        rows.setdefault((point.design, point.settings, point.with_dsp), {})[point.family] = point
    lines = [_COLUMNS]
    for (design, settings, with_dsp), found in rows.items():
        cells = [cell for family in FAMILIES for cell in _cells(family, found.get(family))]
        first = [f"`{design}`", " ".join(settings), "yes" if with_dsp else "no"]
        lines.append(f"| {' | '.join([*first, *cells])} |")
    return "\n".join(lines) + "\n"


def _cells(family: str, point: FpgaPoint | None) -> Iterable[str]:
    is_placed = FAMILIES[family].is_placed
    if point is None:
        return [""] * (6 if is_placed else 4)
    counts = [f"{count:,}" for count in (point.luts, point.ffs, point.dsps, point.brams)]
    if point.placed is None:
        return counts
    placed = point.placed
    share = placed.routing_ns / (placed.logic_ns + placed.routing_ns)
    return [*counts, f"{placed.fmax_mhz:.0f}", f"{share:.0%}"]


def _earlier(data: FpgaData) -> str:
    lines = ["| PE | LUT then | now | Fmax MHz then | now |", "| --- |" + " ---: |" * 4]
    for one in EARLIER:
        now = data.points[one.key]
        fmax = "" if now.placed is None else f"{now.placed.fmax_mhz:.0f}"
        lines.append(f"| {one.title} | {one.luts} | {now.luts} | {one.fmax_mhz:.0f} | {fmax} |")
    return "\n".join(lines) + "\n"


def _verdict(data: FpgaData) -> str:
    """Hold the carry-save PE's clock per LUT against that of its opponents."""
    carry_save = _mhz_per_lut(data, "pe:carry_save")
    fused = carry_save / _mhz_per_lut(data, "pe:mac", "structure=fused")
    pipelined = carry_save / _mhz_per_lut(data, "pe:mac", "pipelined=true", "structure=fused")
    return (
        f"Its MACs per\nsecond and LUT are {fused:.2f} times those of the fused MAC of the same "
        f"latency, and {pipelined:.2f} times\nthose of the fused MAC with a register behind its "
        "product, one clock later."
    )


def _mhz_per_lut(data: FpgaData, pe: str, *settings: str) -> float:
    point = next(
        point
        for point in data.points.values()
        if (point.family, point.design, {*point.settings}) == ("ecp5", pe, {*settings})
    )
    assert point.placed is not None, "ECP5 is placed"
    return point.placed.fmax_mhz / point.luts


def main() -> None:
    """Write the page to the file named on the command line."""
    write_whole(Path(sys.argv[1]), page(shipped_fpga()).encode())


if __name__ == "__main__":
    main()
