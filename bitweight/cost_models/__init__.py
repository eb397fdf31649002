"""What designs cost: area, delay, energy, memory and time, from measured records."""

from bitweight.cost_models import estimates
from bitweight.cost_models.cost import Cost, Figure, Provenance, estimate
from bitweight.cost_models.technology import TECHNOLOGIES, Technology

__all__ = [
    "TECHNOLOGIES",
    "Cost",
    "Figure",
    "Provenance",
    "Technology",
    "estimate",
    "estimates",
]
