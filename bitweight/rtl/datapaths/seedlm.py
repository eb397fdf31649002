"""RTL of the SeedLM decoder: states as slices of a look-ahead window, or of the register itself.

Model: ``sim.datapaths.seedlm``.
"""

from collections.abc import Sequence
from functools import reduce
from operator import xor
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout

from bitweight.rtl.datapath import cell, cell_ports, column_part, column_ports, row_part, row_ports
from bitweight.rtl.datapaths.dot_product import PlainRow, accumulate, beat_sum, row_shape
from bitweight.rtl.wires import delay, signed_sum
from bitweight.sim.datapaths.seedlm import SeedlmSpec
from bitweight.workloads.formats.lfsr import TAPS

_SHIFT_BITS = 4  # of e + 8
_COEFFICIENT_BITS = 4
_MOST_SHIFT = (1 << _SHIFT_BITS) - 1


class WindowColumn(wiring.Component):
    """All states of a block at once, and a multiplier for each.

    Ports:
        units: A word.
        out: S of every weight (``sums``) and e + 8 (``shift``).
    """

    def __init__(self, spec: SeedlmSpec) -> None:
        self.spec = spec
        super().__init__(column_ports(spec, _column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the column part."""
        m = Module()
        spec = self.spec
        length, latent = spec.format.lfsr_length, spec.format.latent
        seed, shift, coefficients = _fields(spec, self.units[0])
        bits: list[Value] = list(seed)
        for state in range(spec.states):
            # A signal each: as mere expressions, later bits would copy the XORs of earlier ones.
            entering = Signal(name=f"entering_{state}")
            m.d.comb += entering.eq(_feedback(length, bits[-length:]))
            bits.append(entering)
        # The seed's own bit 0 is in no state.
        window = Signal(len(bits) - 1, reset_less=True)
        m.d.sync += window.eq(Cat(bits[1:]))
        q = [delay(m, value, 1, f"q_{p}").as_signed() for p, value in enumerate(coefficients)]
        for c in range(spec.format.block):
            products: list[Value] = [
                _centred(window[at : at + length]) * q[p]
                for p, at in enumerate(range(c * latent, (c + 1) * latent))
            ]
            if spec.pipelined:
                products = [delay(m, v, 1, f"product_{c}_{p}") for p, v in enumerate(products)]
            total = Signal(_sum_shape(spec), reset_less=True, name=f"sum_{c}")
            m.d.sync += total.eq(signed_sum(products))
            m.d.comb += self.out.sums[c].eq(total)
        m.d.comb += self.out.shift.eq(delay(m, shift, spec.column_part.latency, "shift"))
        return m


class RegisterColumn(wiring.Component):
    """One state a clock, and one multiplier.

    Ports:
        units: A word, held until the next ``start``.
        start: The word is new.
        out: For one clock, S of every weight (``sums``) and e + 8 (``shift``); otherwise 0.
    """

    def __init__(self, spec: SeedlmSpec) -> None:
        self.spec = spec
        super().__init__(column_ports(spec, _column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the column part."""
        m = Module()
        seed, shift, coefficients = _fields(self.spec, self.units[0])
        state = Signal(len(seed), reset_less=True)
        q = Signal(_COEFFICIENT_BITS * len(coefficients), reset_less=True)
        held_shift = Signal(_SHIFT_BITS, reset_less=True)
        before = Signal.like(state)
        after = Cat(before[1:], _feedback(len(seed), before))
        q_now = Signal.like(q)
        m.d.comb += [
            before.eq(Mux(self.start, seed, state)),
            q_now.eq(Mux(self.start, Cat(coefficients), q)),
        ]
        m.d.sync += [state.eq(after), q.eq(q_now.rotate_right(_COEFFICIENT_BITS))]
        with m.If(self.start):
            m.d.sync += held_shift.eq(shift)
        product = _centred(after) * q_now[:_COEFFICIENT_BITS].as_signed()
        sums = self._sums(m, product)
        is_complete = self._is_complete(m)
        m.d.comb += [
            Value.cast(self.out.sums).eq(Mux(is_complete, sums, 0)),
            self.out.shift.eq(Mux(is_complete, held_shift, 0)),
        ]
        return m

    def _sums(self, m: Module, product: Value) -> Signal:
        """Add the products of a weight; each S enters a shift register as it is complete."""
        latent = self.spec.format.latent
        partial = Signal(_sum_shape(self.spec), reset_less=True)
        total = Signal.like(partial)
        sums = Signal(len(partial) * self.spec.format.block, reset_less=True)
        is_first: Value = Value.cast(1)
        is_last: Value = Value.cast(1)
        if latent > 1:
            phase = Signal(range(latent))
            is_end = phase == latent - 1
            m.d.sync += phase.eq(Mux(self.start, 1, Mux(is_end, 0, phase + 1)))
            is_first, is_last = self.start | (phase == 0), ~self.start & is_end
        m.d.comb += total.eq(Mux(is_first, 0, partial) + product)
        m.d.sync += partial.eq(total)
        with m.If(is_last):
            m.d.sync += sums.eq(Cat(sums[len(partial) :], total))
        return sums

    def _is_complete(self, m: Module) -> Signal:
        """Tell the clock in which all S of a block stand in the register."""
        left = Signal(range(self.spec.states))
        is_complete = Signal()
        with m.If(self.start):
            m.d.sync += left.eq(self.spec.states - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.sync += is_complete.eq(left == 1)
        return is_complete


class HeldRow(wiring.Component):
    """The activations one edge later: a serial column part answers as the next beat arrives.

    Ports:
        x: Activations of a beat.
        out: The same, registered.
    """

    def __init__(self, spec: SeedlmSpec) -> None:
        super().__init__(row_ports(spec, row_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the row part."""
        m = Module()
        m.d.comb += self.out.eq(delay(m, Value.cast(self.x), 1, "held"))
        return m


class SeedlmCell(wiring.Component):
    """Dot product of a block, shifted by its exponent and accumulated.

    Ports:
        row: Activations of every lane.
        column: S of every lane (``sums``) and e + 8 (``shift``).
        first: Start a new sum with this beat.
        acc: The sum.
    """

    def __init__(self, spec: SeedlmSpec) -> None:
        self.spec = spec
        super().__init__(cell_ports(spec, row=row_shape(spec), column=_column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the cell."""
        m = Module()
        spec = self.spec
        total = beat_sum(m, spec, self.row, self.column.sums, spec.weight_max)
        shift = delay(m, self.column.shift, 1 + spec.pipelined, "shift")
        aligned = Signal(Shape(len(total) + _MOST_SHIFT, True), reset_less=True)
        m.d.sync += aligned.eq(total << shift)
        accumulate(m, spec, self.first, aligned, self.acc[0])
        return m


def _fields(spec: SeedlmSpec, word: Value) -> tuple[Value, Value, list[Value]]:
    """Return a word's seed, e + 8 and coefficients."""
    length = spec.format.lfsr_length
    rest = word[length + _SHIFT_BITS :]
    coefficients = [rest.word_select(p, _COEFFICIENT_BITS) for p in range(spec.format.latent)]
    return word[:length], word[length : length + _SHIFT_BITS], coefficients


def _feedback(length: int, state: Value | Sequence[Value]) -> Value:
    """Return the bit that enters the register next."""
    return reduce(xor, (state[tap] for tap in TAPS[length]))


def _centred(state: Value) -> Value:
    """Return a state less half its range: its top bit inverted, as two's complement."""
    return Cat(state[:-1], ~state[-1]).as_signed()


def _sum_shape(spec: SeedlmSpec) -> Shape:
    return Shape(spec.weight_max.bit_length() + 1, True)


def _column_shape(spec: SeedlmSpec) -> Any:
    sums = ArrayLayout(_sum_shape(spec), spec.format.block)
    return StructLayout({"sums": sums, "shift": _SHIFT_BITS})


@row_part.register
def _(spec: SeedlmSpec) -> PlainRow | HeldRow:
    return HeldRow(spec) if spec.is_serial else PlainRow(spec)


@column_part.register
def _(spec: SeedlmSpec) -> WindowColumn | RegisterColumn:
    return RegisterColumn(spec) if spec.is_serial else WindowColumn(spec)


@cell.register
def _(spec: SeedlmSpec) -> SeedlmCell:
    return SeedlmCell(spec)
