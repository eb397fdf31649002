"""The two walks of the engine of dealt digits: which beats come, and what they belong to."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.engines.column_dealt_lane import group_width
from bitweight.rtl.wires import COMMAND
from bitweight.sim.engines.column_dealt import DealtColumnSpec


def segment_layout(spec: DealtColumnSpec) -> StructLayout:
    """Return what is known of a segment.

    It is the first or last of its row, the last with its tile of b, the last of all; and how many
    outputs its tile has.
    """
    return StructLayout(
        {
            "is_first": 1,
            "is_last": 1,
            "ends_tile": 1,
            "ends_all": 1,
            "outputs": range(spec.pes + 1),
        }
    )


class SegmentWalk(wiring.Component):
    """Walks tiles of n, rows and k, beat by beat.

    Ports:
        command, start: Sizes, taken on this edge.
        beat: A beat is accepted.
        active: Beats are left.
        group: Number of the beat within its segment.
        ends: This beat is the last of its segment.
        segment: What the beat belongs to.
    """

    def __init__(self, spec: DealtColumnSpec, *, every_row: bool) -> None:
        """Set ``every_row`` to walk all rows even if one segment holds a row."""
        self.spec = spec
        self.every_row = every_row
        super().__init__(
            {
                "command": In(COMMAND),
                "start": In(1),
                "beat": In(1),
                "active": Out(1),
                "group": Out(group_width(spec)),
                "ends": Out(1),
                "segment": Out(segment_layout(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the walk."""
        m = Module()
        spec = self.spec
        rows, k, rows_left, k_left, n_left = (
            Signal(32, name=name, reset_less=True)
            for name in ("rows", "k", "rows_left", "k_left", "n_left")
        )
        is_first = Signal()
        ends_row, is_last_row, is_last_tile, is_folded = (
            Signal(name=name) for name in ("ends_row", "is_last_row", "is_last_tile", "is_folded")
        )
        m.d.comb += [
            ends_row.eq(k_left <= spec.beat),
            is_last_row.eq(rows_left == 1),
            is_last_tile.eq(n_left <= spec.pes),
            is_folded.eq(k > spec.k_depth),
            self.ends.eq(ends_row | (self.group == spec.words - 1)),
            self.segment.is_first.eq(is_first),
            self.segment.is_last.eq(ends_row),
            self.segment.ends_tile.eq(is_folded | is_last_row),
            self.segment.ends_all.eq(ends_row & is_last_row & is_last_tile),
            self.segment.outputs.eq(Mux(is_last_tile, n_left, spec.pes)),
        ]
        ends_tile = is_last_row if self.every_row else is_last_row | ~is_folded
        with m.If(self.start):
            sizes = self.command
            m.d.sync += [rows.eq(sizes.m), rows_left.eq(sizes.m), n_left.eq(sizes.n)]
            m.d.sync += [k.eq(sizes.k), k_left.eq(sizes.k), self.group.eq(0)]
            m.d.sync += [is_first.eq(1), self.active.eq(1)]
        with m.Elif(self.beat):
            m.d.sync += k_left.eq(Mux(ends_row, k, k_left - spec.beat))
            m.d.sync += self.group.eq(Mux(self.ends, 0, self.group + 1))
            with m.If(self.ends):
                m.d.sync += is_first.eq(ends_row)
            with m.If(ends_row):
                m.d.sync += rows_left.eq(Mux(ends_tile, rows, rows_left - 1))
                with m.If(ends_tile):
                    m.d.sync += [n_left.eq(n_left - spec.pes), self.active.eq(~is_last_tile)]
        return m
