"""Roofline: what a layer attains under the peak of the array and the bandwidth of DRAM.

Peak is that of the array, products a second with every lane at work. Engines that skip zero digits
are given one digit a product: where many activations are 0 they may exceed that. Under the peak the
bound falls with the products that a byte of DRAM feeds: ``min(peak, intensity x bandwidth)``.
Attained is what ``layer_time`` says, so that the distance to the bound is the array's own: idle
lanes, loads, waits and drain.

Source: S. Williams, A. Waterman, D. Patterson, "Roofline: An Insightful Visual Performance Model
for Multicore Architectures", Communications of the ACM 52(4), 2009.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bitweight.cost_models.layer_time import LayerCost, Limit
from bitweight.cost_models.system import Dram
from bitweight.sim.spec import DesignSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """The bounds of a design with its DRAM.

    Attributes:
        peak_gmacs: 10**9 products a second of the array.
        bandwidth_gbs: 10**9 bytes a second of DRAM.
    """

    peak_gmacs: float
    bandwidth_gbs: float

    @property
    def ridge_macs_per_byte(self) -> float:
        """Products per byte from which on the array is the bound."""
        return self.peak_gmacs / self.bandwidth_gbs

    def bound_gmacs(self, macs_per_byte: float) -> float:
        """Return 10**9 products a second that nothing of this intensity exceeds."""
        return min(self.peak_gmacs, macs_per_byte * self.bandwidth_gbs)


@dataclass(frozen=True, slots=True, kw_only=True)
class RooflinePoint:
    """A layer under its roof.

    Attributes:
        name: The layer's kind.
        macs_per_byte: Products per byte of DRAM.
        attained_gmacs: 10**9 products a second that it attains.
        bound_gmacs: 10**9 products a second that the roof allows.
        limit: What sets its pace.
    """

    name: str
    macs_per_byte: float
    attained_gmacs: float
    bound_gmacs: float
    limit: Limit


def roof(spec: DesignSpec, dram: Dram, *, clock_mhz: float) -> Roof:
    """Return the bounds of a design at a clock."""
    return Roof(peak_gmacs=spec.peak_macs * clock_mhz / 1000, bandwidth_gbs=dram.bandwidth_gbs)


def roofline(over: Roof, layers: Iterable[LayerCost]) -> list[RooflinePoint]:
    """Return each layer's place under a roof."""
    return [_point(over, layer) for layer in layers]


def _point(over: Roof, layer: LayerCost) -> RooflinePoint:
    intensity = layer.macs / layer.traffic.dram_bytes
    return RooflinePoint(
        name=layer.name,
        macs_per_byte=intensity,
        attained_gmacs=layer.macs / layer.time_us / 1000,
        bound_gmacs=over.bound_gmacs(intensity),
        limit=layer.limit,
    )
