import numpy as np
import pytest
from numpy.typing import NDArray

from bitweight.cost_models.reuse import Repeat, repeats, tile_outputs
from bitweight.sim import DESIGNS, beats
from bitweight.sim.engine import PortBeats

_SIZES = ((1, 1, 96), (5, 7, 96), (9, 24, 192), (13, 10, 96))


def _positions(port: PortBeats) -> NDArray[np.int64]:
    """Return the beats that carry the very element that the first of them is about."""
    rows, columns = np.broadcast_arrays(*port.locate(np.arange(port.count)))
    inside = (rows[0] >= 0) & (columns[0] >= 0)
    lane = int(np.flatnonzero(inside)[0])
    is_same = (rows == rows[0, lane]) & (columns == columns[0, lane])
    return np.flatnonzero(is_same.any(axis=1))


def _unrolled(loops: tuple[Repeat, ...]) -> NDArray[np.int64]:
    places = np.zeros(1, np.int64)
    for loop in loops:
        starts = np.arange(loop.times) * loop.distance_beats
        places = (starts[:, None] + places).reshape(-1)
    return places


@pytest.mark.parametrize("name", DESIGNS)
def test_an_element_comes_again_when_the_loops_say(name: str) -> None:
    spec = DESIGNS[name].small
    for m, n, k in _SIZES:
        tiles = tile_outputs(spec) or 24
        outputs = -(-n // tiles) * tiles
        ports, loops = beats(spec, m=m, n=outputs, k=k), repeats(spec, m=m, n=outputs, k=k)
        for port in ("a", "b"):
            found = _positions(ports[port])
            np.testing.assert_array_equal(found, _unrolled(loops[port]), err_msg=f"{port} {m}")


@pytest.mark.parametrize("name", DESIGNS)
def test_a_run_of_whole_tiles_can_be_run(name: str) -> None:
    spec = DESIGNS[name]
    outputs = tile_outputs(spec)
    if outputs is not None:
        assert beats(spec, m=1, n=outputs, k=384)["c"].count


def test_a_type_that_is_no_engine_is_refused() -> None:
    with pytest.raises(TypeError, match="No traffic model takes a str"):
        repeats("systolic", m=1, n=1, k=1)
