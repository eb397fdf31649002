"""Clocks of the hardware that a spatial loop unrolls: each position counts its own trips."""

Place = tuple[tuple[str, int], ...]


class Clocks:
    """Trips so far at each place, a place being the spatial indices around it, outermost first.

    Positions run freely until a barrier. Every place is entered before its first barrier, since
    later tiles can only be smaller.
    """

    def __init__(self) -> None:
        self._trips: dict[Place, int] = {(): 0}

    def enter(self, place: Place) -> None:
        """Start a place, unless it has been started before."""
        self._trips.setdefault(place, 0)

    def tick(self, place: Place) -> None:
        """Count one trip at a place."""
        self._trips[place] += 1

    def barrier(self, place: Place) -> None:
        """Let everything inside a place wait for its slowest."""
        inside = [other for other in self._trips if other[: len(place)] == place]
        self._trips |= dict.fromkeys(inside, max(self._trips[other] for other in inside))

    @property
    def latest(self) -> int:
        """Trips until the last place has ended."""
        return max(self._trips.values())
