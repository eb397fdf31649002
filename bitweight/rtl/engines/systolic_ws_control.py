"""Control of the weight-stationary engine: walks the tiles and says which beats may come."""

from typing import NamedTuple

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitweight.rtl.wires import COMMAND
from bitweight.sim.engines.systolic_ws import SystolicWsSpec


class _Place(NamedTuple):
    """Where in a GEMM the next row of a stands."""

    row: Value  # in its tile
    is_first_row: Value
    is_last_row: Value
    is_first_depth: Value
    is_last_depth: Value
    is_last_tile: Value


class SystolicWsControl(wiring.Component):
    """Order and handshakes of beats: n outside, folds of m inside, then k, then rows of a.

    Ports:
        cmd: Sizes of a GEMM.
        a_valid, a_ready, b_valid, b_ready: Handshakes of the operand streams.
        full, empty: From the edge: no room for another row's results; none are due.
        takes_a: A row of a enters.
        starts, stores, ends, adds: What it is, as the edge takes it.
        takes_b: A row of b enters.
        reach: Rows that it passes through, itself included.
    """

    def __init__(self, spec: SystolicWsSpec) -> None:
        self.spec = spec
        inputs = ("a_valid", "b_valid", "full", "empty")
        outputs = ("a_ready", "b_ready", "takes_a", "takes_b", "starts", "stores", "ends", "adds")
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                **{name: In(1) for name in inputs},
                **{name: Out(1) for name in outputs},
                "reach": Out(range(spec.rows + 1), init=spec.rows),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the control."""
        m = Module()
        place = self._walk(m)
        loaded = Signal()
        may_start = loaded & ~self._is_adding(m, place)
        may_load = self._may_load(m, place, loaded)
        with m.FSM():
            with m.State("ACCEPT"):
                m.d.comb += self.cmd.ready.eq(1)
                with m.If(self.cmd.valid):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [
                    self.a_ready.eq(
                        (~place.is_first_row | may_start) & ~(place.is_last_depth & self.full)
                    ),
                    self.b_ready.eq(may_load),
                ]
                with m.If(self.takes_a & place.is_last_row & place.is_last_tile):
                    m.next = "FLUSH"
            with m.State("FLUSH"), m.If(self.empty):
                m.next = "ACCEPT"
        m.d.comb += [
            self.takes_a.eq(self.a_valid & self.a_ready),
            self.takes_b.eq(self.b_valid & self.b_ready),
            self.starts.eq(self.takes_a & place.is_first_row),
            self.stores.eq(self.takes_a & ~place.is_last_depth),
            self.ends.eq(self.takes_a & place.is_last_depth),
            self.adds.eq(self.takes_a & ~place.is_first_depth),
        ]
        # Weights are complete from their last beat to their tile's first row of a.
        with m.If(self.starts):
            m.d.sync += loaded.eq(0)
        with m.If(self.takes_b):
            m.d.sync += self.reach.eq(Mux(self.reach == 1, self.spec.rows, self.reach - 1))
            with m.If(self.reach == 1):
                m.d.sync += loaded.eq(1)
        return m

    def _walk(self, m: Module) -> _Place:
        """Count rows, depth, folds and columns down, and return where the next row of a is."""
        spec, sizes = self.spec, self.cmd.payload
        m_size, k_size, m_left, n_left, k_left = (
            Signal(32, name=name, reset_less=True)
            for name in ("m_size", "k_size", "m_left", "n_left", "k_left")
        )
        row = Signal(range(spec.acc_depth))
        is_last_depth, is_last_fold = k_left <= spec.rows, m_left <= spec.acc_depth
        last_row = Mux(is_last_fold, m_left - 1, spec.acc_depth - 1)
        place = _Place(
            row=row,
            is_first_row=row == 0,
            is_last_row=row == last_row,
            is_first_depth=k_left == k_size,
            is_last_depth=is_last_depth,
            is_last_tile=is_last_depth & is_last_fold & (n_left <= spec.cols),
        )
        with m.If(self.cmd.valid & self.cmd.ready):
            m.d.sync += [m_size.eq(sizes.m), m_left.eq(sizes.m), n_left.eq(sizes.n)]
            m.d.sync += [k_size.eq(sizes.k), k_left.eq(sizes.k)]
        with m.If(self.takes_a):
            m.d.sync += row.eq(Mux(place.is_last_row, 0, row + 1))
        with m.If(self.takes_a & place.is_last_row):
            m.d.sync += k_left.eq(Mux(is_last_depth, k_size, k_left - spec.rows))
            with m.If(is_last_depth):
                m.d.sync += m_left.eq(Mux(is_last_fold, m_size, m_left - spec.acc_depth))
            with m.If(is_last_depth & is_last_fold):
                m.d.sync += n_left.eq(n_left - spec.cols)
        return place

    def _is_adding(self, m: Module, place: _Place) -> Value:
        """Tell whether rows that start now could read sums that are not yet written.

        Rows of a tile are an edge or more apart, so only a tile of fewer rows than ``add_period``
        is followed so closely.
        """
        least = self.spec.add_period
        wait = Signal(range(least))
        with m.If(self.takes_a & place.is_last_row):
            m.d.sync += wait.eq(Mux(place.row < least - 1, least - 1 - place.row, 0))
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        return wait != 0

    def _may_load(self, m: Module, place: _Place, loaded: Value) -> Value:
        """Tell whether a beat of b may enter, for this tile or for the next."""
        if self.spec.double_buffer:
            # A tile that has started leaves the second registers to the next one.
            return Mux(
                self.starts,
                ~place.is_last_tile,
                ~loaded & (place.is_first_row | ~place.is_last_tile),
            )
        settling = Signal(range(self.spec.rows + self.spec.cols))
        with m.If(self.takes_a & place.is_last_row):
            # Until the last PE has taken its last product.
            m.d.sync += settling.eq(self.spec.rows + self.spec.cols - 2)
        with m.Elif(settling != 0):
            m.d.sync += settling.eq(settling - 1)
        return place.is_first_row & ~loaded & (settling == 0)
