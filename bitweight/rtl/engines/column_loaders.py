"""What brings operands into a column engine: both walk the tiles on their own, ahead of the PEs."""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.engines.column_part import PLACE_BITS
from bitweight.rtl.wires import COMMAND
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.pe.digit import GROUP


def tile_layout(spec: ColumnSpec) -> StructLayout:
    """Return what is known of a row tile that stands in a row buffer.

    ``last_group`` of its fold, ``rows`` in it, ``slot`` of its sums, ``b_half`` that holds its b;
    whether it is the fold's first or last row tile (``first``, ``last``), and whether its fold
    starts and ends its sums (``fresh``, ``closes``).
    """
    return StructLayout(
        {
            "last_group": Shape.cast(range(spec.k_depth // GROUP)),
            "rows": Shape.cast(range(spec.columns + 1)),
            "slot": Shape.cast(range(spec.acc_depth // spec.columns)),
            "b_half": 1,
            "first": 1,
            "last": 1,
            "fresh": 1,
            "closes": 1,
        }
    )


class _Sizes:
    """Counters that walk blocks of rows, tiles of n and folds of k, outermost first."""

    def __init__(self, spec: ColumnSpec) -> None:
        self.spec = spec
        self.m_left, self.n_left, self.k_left = (
            Signal(32, name=name, reset_less=True) for name in ("m_left", "n_left", "k_left")
        )

    @property
    def fold(self) -> Value:
        """Return the k of this fold."""
        depth = self.spec.k_depth
        return Mux(self.k_left < depth, self.k_left, depth)[: depth.bit_length()]

    @property
    def is_last_fold(self) -> Value:
        return self.k_left <= self.spec.k_depth

    @property
    def ends_block(self) -> Value:
        """Return whether no tile of n follows in this block of rows."""
        return self.is_last_fold & (self.n_left <= self.spec.pes)

    @property
    def ends_all(self) -> Value:
        return self.ends_block & (self.m_left <= self.spec.acc_depth)

    def begin(self, m: Module, sizes: Value) -> None:
        m.d.sync += [
            self.m_left.eq(sizes.m),
            self.n_left.eq(sizes.n),
            self.k_left.eq(sizes.k),
        ]

    def advance(self, m: Module, n: Value, k: Value) -> None:
        """Go on to the next fold."""
        m.d.sync += self.k_left.eq(Mux(self.is_last_fold, k, self.k_left - self.spec.k_depth))
        with m.If(self.ends_block):
            m.d.sync += [self.n_left.eq(n), self.m_left.eq(self.m_left - self.spec.acc_depth)]
        with m.Elif(self.is_last_fold):
            m.d.sync += self.n_left.eq(self.n_left - self.spec.pes)


class RowLoader(wiring.Component):
    """Takes the beats of ``a`` into two row buffers by turns.

    Ports:
        launch, sizes: A command is accepted.
        n, k: Its sizes, held.
        valid, ready: The stream; a beat goes to the columns as it comes.
        write, row: One bit per lane, and where the beat's groups go.
        ended: The row tile that stands in the buffers longest has ended.
        full: Which buffers hold a row tile.
        tiles: What is known of each buffer's row tile.
    """

    def __init__(self, spec: ColumnSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "launch": In(1),
                "sizes": In(COMMAND),
                "n": In(32),
                "k": In(32),
                "valid": In(1),
                "ready": Out(1),
                "write": Out(spec.pe.lanes),
                "row": Out(spec.row_bits),
                "ended": In(1),
                "full": Out(2),
                "tiles": Out(ArrayLayout(tile_layout(spec), 2)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the loader."""
        m = Module()
        spec, sizes = self.spec, _Sizes(self.spec)
        active, half, oldest = Signal(), Signal(), Signal()
        group = Signal(range(spec.k_depth // GROUP))
        tile = Signal(tile_layout(spec))
        rows_left = Signal(range(spec.acc_depth + 1), reset_less=True)
        slot = Signal.like(tile.slot, reset_less=True, name="slot")
        b_half = Signal()
        beat, is_last = Signal(), Signal()
        lane_bits = (spec.pe.lanes - 1).bit_length()
        lane = Cat(group[:lane_bits] == number for number in range(spec.pe.lanes))
        m.d.comb += [
            self.ready.eq(active & ~self.full.bit_select(half, 1)),
            beat.eq(self.valid & self.ready),
            is_last.eq(beat & (group == tile.last_group)),
            self.write.eq(Mux(beat, lane if lane_bits else 1, 0)),
            self.row.eq(Cat(group[lane_bits:], half)),
            tile.last_group.eq((sizes.fold - 1) >> PLACE_BITS),
            tile.rows.eq(Mux(rows_left < spec.columns, rows_left, spec.columns)),
            tile.slot.eq(slot),
            tile.b_half.eq(b_half),
            tile.first.eq(slot == 0),
            tile.last.eq(rows_left <= spec.columns),
            tile.fresh.eq(sizes.k_left == self.k),
            tile.closes.eq(sizes.is_last_fold),
        ]
        with m.If(beat):
            m.d.sync += group.eq(Mux(is_last, 0, group + 1))
        with m.If(is_last):
            m.d.sync += half.eq(~half)
        with m.If(self.ended):
            m.d.sync += oldest.eq(~oldest)
        for number in range(2):
            with m.If(is_last & (half == number)):
                m.d.sync += [self.full[number].eq(1), self.tiles[number].eq(tile)]
            with m.Elif(self.ended & (oldest == number)):
                m.d.sync += self.full[number].eq(0)
        with m.If(self.launch):
            sizes.begin(m, self.sizes)
            m.d.sync += [
                active.eq(1),
                slot.eq(0),
                rows_left.eq(_within_block(spec, self.sizes.m)),
            ]
        with m.Elif(is_last & ~tile.last):
            m.d.sync += [rows_left.eq(rows_left - spec.columns), slot.eq(slot + 1)]
        with m.Elif(is_last):
            after = Mux(sizes.ends_block, sizes.m_left - spec.acc_depth, sizes.m_left)[:32]
            sizes.advance(m, self.n, self.k)
            m.d.sync += [
                active.eq(~sizes.ends_all),
                slot.eq(0),
                b_half.eq(b_half ^ spec.double_buffer),
                rows_left.eq(_within_block(spec, after)),
            ]
        return m


class TileLoader(wiring.Component):
    """Takes the beats of ``b`` into one or two b tiles by turns.

    Ports:
        launch, sizes, n, k, valid, ready: As for ``RowLoader``.
        write, address: One bit per lane, and where the beat goes.
        start: The first row tile of a b tile starts.
        ended: The last of a b tile has ended, and nothing reads it any more.
        loaded: A b tile waits for its first row tile.
    """

    def __init__(self, spec: ColumnSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "launch": In(1),
                "sizes": In(COMMAND),
                "n": In(32),
                "k": In(32),
                "valid": In(1),
                "ready": Out(1),
                "write": Out(spec.pe.lanes),
                "address": Out(spec.row_bits + PLACE_BITS),
                "start": In(1),
                "ended": In(1),
                "loaded": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the loader."""
        m = Module()
        spec, sizes = self.spec, _Sizes(self.spec)
        active, half, beat, is_last = Signal(), Signal(), Signal(), Signal()
        at = Signal(range(spec.k_depth))
        used, waiting = Signal(2), Signal(2)
        lane_bits = (spec.pe.lanes - 1).bit_length()
        group = at[PLACE_BITS:]
        lane = Cat(group[:lane_bits] == number for number in range(spec.pe.lanes))
        m.d.comb += [
            self.ready.eq(active & (used < 1 + spec.double_buffer)),
            beat.eq(self.valid & self.ready),
            is_last.eq(beat & (at == sizes.fold - 1)),
            self.write.eq(Mux(beat, lane if lane_bits else 1, 0)),
            self.address.eq(Cat(at[:PLACE_BITS], group[lane_bits:], half)),
            self.loaded.eq(waiting != 0),
        ]
        m.d.sync += [
            used.eq(used + is_last - self.ended),
            waiting.eq(waiting + is_last - self.start),
        ]
        with m.If(beat):
            m.d.sync += at.eq(Mux(is_last, 0, at + 1))
        with m.If(self.launch):
            sizes.begin(m, self.sizes)
            m.d.sync += active.eq(1)
        with m.Elif(is_last):
            sizes.advance(m, self.n, self.k)
            m.d.sync += [active.eq(~sizes.ends_all), half.eq(half ^ spec.double_buffer)]
        return m


def _within_block(spec: ColumnSpec, rows: Value) -> Value:
    return Mux(rows < spec.acc_depth, rows, spec.acc_depth)
