"""RTL of the fp16 exponent-field adder: one addition, or what it takes to get the product.

Model: ``sim.datapaths.exponent_add``.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.sim.datapaths.exponent_add import (
    FRACTION_BITS,
    LARGEST,
    ExponentAddSpec,
    ExponentForm,
)

# Beyond this many places a subnormal's significand leaves nothing to round up.
_MOST_PLACES = 12


class ExponentAdd(wiring.Component):
    """Multiplies an fp16 value by a power of two.

    Ports:
        value: Bits of an fp16 value.
        shift: The power, two's complement.
        product: Bits of the result, ``spec.latency`` edges later.
    """

    def __init__(self, spec: ExponentAddSpec) -> None:
        self.spec = spec
        super().__init__(
            {"value": In(16), "shift": In(Shape(spec.shift_width, True)), "product": Out(16)}
        )

    def elaborate(self, platform: object) -> Module:
        """Build the adder."""
        m = Module()
        if self.spec.form is ExponentForm.AS_PUBLISHED:
            low, high = self.value[:FRACTION_BITS], self.value[FRACTION_BITS:]
            result: Value = Cat(low, (high + self.shift)[: len(high)])
        else:
            result = self._guarded(m)
        product = Signal(16, reset_less=True, name="product_register")
        m.d.sync += product.eq(result)
        m.d.comb += self.product.eq(product)
        return m

    def _guarded(self, m: Module) -> Value:
        fraction, exponent = self.value[:FRACTION_BITS], self.value[FRACTION_BITS:-1]
        is_normal = exponent.any()
        # The leading 1 at bit 10, and how far a subnormal's had to move.
        lead = Signal(range(FRACTION_BITS + 1))
        significand = Signal(FRACTION_BITS + 1)
        m.d.comb += [
            lead.eq(Mux(is_normal, 0, _leading_zeros(fraction) + 1)),
            significand.eq(Cat(fraction, is_normal) << lead),
        ]
        reach = 1 << (self.spec.shift_width - 1)
        moved = Signal(range(1 - FRACTION_BITS - reach, 31 + reach))
        m.d.comb += moved.eq(Mux(is_normal, exponent, 1) - lead + self.shift)
        magnitude = Mux(
            moved > 0,
            Mux(moved >= 31, LARGEST, Cat(significand[:FRACTION_BITS], moved[:5])),
            self._subnormal(m, significand, moved),
        )
        is_kept = exponent.all() | ~self.value[:-1].any()
        return Mux(is_kept, self.value, Cat(magnitude[:15], self.value[-1]))

    def _subnormal(self, m: Module, significand: Signal, moved: Signal) -> Value:
        """Return the significand moved below exponent 1, rounded to nearest even."""
        places = Signal(range(_MOST_PLACES + 1))
        m.d.comb += places.eq(Mux(moved < 1 - _MOST_PLACES, _MOST_PLACES, 1 - moved))
        # What falls out on the right stays below the point: half first, the rest under it.
        shifted = Signal(FRACTION_BITS + 1 + _MOST_PLACES)
        m.d.comb += shifted.eq(Cat(Const(0, _MOST_PLACES), significand) >> places)
        kept, half = shifted[_MOST_PLACES:], shifted[_MOST_PLACES - 1]
        is_up = half & (kept[0] | shifted[: _MOST_PLACES - 1].any())
        return kept + is_up


def _leading_zeros(bits: Value) -> Value:
    """Return how many zeros stand above the highest 1 of ``bits``."""
    count: Value = Const(len(bits))
    for at in range(len(bits)):
        count = Mux(bits[at], len(bits) - 1 - at, count)
    return count


@component.register
def _(spec: ExponentAddSpec) -> ExponentAdd:
    return ExponentAdd(spec)
