"""RTL of half look-up tables: the adders that build one, and how a key is read from it.

Model: ``sim.datapaths.half_table``.
"""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout

from bitweight.rtl.datapath import row_ports
from bitweight.rtl.wires import delay
from bitweight.sim.datapaths.bcq import BcqSpec
from bitweight.sim.datapaths.half_table import entry_range
from bitweight.sim.datapaths.shift_add import ShiftAddSpec

LookupSpec = BcqSpec | ShiftAddSpec


class HalfTableRow(wiring.Component):
    """Builds the half table of each key of a row's activations.

    Sums of half a key's activations are registered, then the sums of all.

    Ports:
        x: Activations of a beat.
        out: Tables, one after the other.
    """

    def __init__(self, spec: LookupSpec) -> None:
        self.spec = spec
        super().__init__(row_ports(spec, tables_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the row part."""
        m = Module()
        key, size = self.spec.key, 1 << (self.spec.key - 1)
        for table in range(self.spec.keys):
            x = [self.x[table * key + lane] for lane in range(key)]
            halves = []
            for name, part in (("low", x[: key // 2]), ("high", x[key // 2 :])):
                sums = enumerate(_half_table(part))
                halves.append([delay(m, s, 1, f"{name}_{table}_{at}") for at, s in sums])
            for at, total in enumerate(_all_sums(*halves)):
                out = self.out[table * size + at]
                entry = Signal(out.shape(), reset_less=True, name=f"entry_{table}_{at}")
                m.d.sync += entry.eq(total)
                m.d.comb += out.eq(entry)
        return m


def entry_shape(spec: LookupSpec) -> Shape:
    """Return the shape of one entry."""
    least, greatest = entry_range(spec.a, spec.key)
    return Shape.cast(range(least, greatest + 1))


def tables_shape(spec: LookupSpec) -> ArrayLayout:
    """Return the shape of a beat's tables."""
    return ArrayLayout(entry_shape(spec), spec.keys << (spec.key - 1))


def half_key(key: Value) -> Value:
    """Return the entry that a key reads and, above it, whether it is negated."""
    return Cat(Mux(key[-1], key[:-1], ~key[:-1]), ~key[-1])


def read(m: Module, table: Sequence[Value], key: Value, name: str) -> Value:
    """Return the entry of a half key, or its negative: a tree of multiplexers."""
    level = list(table)
    for bit in range(len(key) - 1):
        pairs = range(0, len(level), 2)
        level = [Mux(key[bit], level[at + 1], level[at]) for at in pairs]
    entry = Signal(level[0].shape(), name=name)
    m.d.comb += entry.eq(level[0])
    return Mux(key[-1], -entry, entry)


def _half_table(x: Sequence[Value]) -> list[Value]:
    """Return the sums of x that take the last one plus, by the signs of the others."""
    if len(x) == 1:
        return [x[0]]
    middle = len(x) // 2
    return _all_sums(_half_table(x[:middle]), _half_table(x[middle:]))


def _all_sums(low: Sequence[Value], high: Sequence[Value]) -> list[Value]:
    """Add every sum of the low half, plus or minus, to every sum of the high half."""
    # A complemented low key is the negative of the entry at the other end.
    return [
        total
        for one in high
        for total in (*(one - each for each in reversed(low)), *(one + each for each in low))
    ]
