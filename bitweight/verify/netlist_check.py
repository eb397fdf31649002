"""The synthesised netlist against the model: a GEMM on the gates, bits and cycles compared.

The netlist plays the same beats as the benches of the emitted Verilog, every stream always willing,
in the compiled gate-level simulator. It must deliver the model's result beats and take the model's
cycles. Every energy of an engine comes from such a run, so none is of a netlist that computes
something else.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bitweight.cost_models.gate_run import Bits, Circuit, Run, Source
from bitweight.sim.engine import MatmulResult, PortBeats, PortValues, beats, carried, simulate
from bitweight.sim.spec import DesignSpec
from bitweight.verify.engine_check import Work
from bitweight.workloads.tool_error import ToolError

_RESET_CLOCKS = 3
# A hung netlist is given up after this many times the model's cycles, and a little.
_PATIENCE = 2


class NetlistError(ToolError):
    """A netlist that does not do what its model does; the message is one line."""


def reset(circuit: Circuit) -> None:
    """Hold an engine's or a PE's reset for a few clocks, all its other inputs 0."""
    waves = {
        port: np.full((_RESET_CLOCKS, len(nets)), port == "rst", np.uint8)
        for port, nets in circuit.netlist.inputs.items()
        if port != circuit.clock
    }
    circuit.run(clocks=_RESET_CLOCKS, waves=waves)
    if "rst" in circuit.netlist.inputs:
        circuit.run(clocks=1, waves={"rst": np.zeros((1, 1), np.uint8)})


def play(circuit: Circuit, spec: DesignSpec, work: Work) -> tuple[Run, MatmulResult]:
    """Run a GEMM on an engine's netlist, out of reset.

    Returns:
        The run, from the edge that takes ``cmd`` to the last result beat, and the model's result.

    Raises:
        NetlistError: If result beats or cycles differ from the model's.
    """
    result = simulate(spec, work.a, work.b)
    m, n, k = work.sizes
    ports = beats(spec, m=m, n=n, k=k)
    values = carried(spec, work.a, work.b, result.results)
    reset(circuit)
    run = circuit.run(
        clocks=_PATIENCE * result.cycles + 1000,
        sources=[Source(port="cmd", beats=_command(m, n, k)), *_sources(ports, values)],
        sink=("c", ports["c"].count),
    )
    if fault := _fault(run, ports, values, result.cycles):
        raise NetlistError(f"Netlist of {spec.name}, {work.name}: {fault}")
    return run, result


def payload_bits(carries: PortBeats, values: PortValues) -> Bits:
    """Return what a port carries, shape (beats, lanes x width), lane 0 in the least bits."""
    lanes = carries.gather(values.values, 0, carries.count)
    bits = lanes[:, :, None] >> np.arange(values.width) & 1
    return bits.astype(np.uint8).reshape(len(lanes), -1)


def _command(m: int, n: int, k: int) -> Bits:
    sizes: NDArray[np.int64] = np.array([m, n, k])
    return (sizes[:, None] >> np.arange(32) & 1).astype(np.uint8).reshape(1, -1)


def _sources(ports: Mapping[str, PortBeats], values: Mapping[str, PortValues]) -> list[Source]:
    return [
        Source(port=port, beats=payload_bits(carries, values[port]))
        for port, carries in ports.items()
        if port != "c"
    ]


def _fault(
    run: Run, ports: Mapping[str, PortBeats], values: Mapping[str, PortValues], cycles: int
) -> str:
    """Return the first difference between netlist and model, or an empty string."""
    wanted = payload_bits(ports["c"], values["c"])
    different = (run.taken != wanted).any(axis=1)
    if different.any():
        beat = int(np.flatnonzero(different)[0])
        return f"beat {beat} of c differs from the model's"
    counts = [1, *(carries.count for port, carries in ports.items() if port != "c")]
    if list(run.sent) != counts:
        return f"accepts {list(run.sent)} beats, model {counts}"
    if run.cycles != cycles:
        return f"takes {run.cycles} cycles, model {cycles}"
    return ""
