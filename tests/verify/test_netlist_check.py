"""Netlists against their models: small engines and PEs, synthesised with cells of our own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_gates import TINY, tiny_library

from bitweight.cost_models.gate_energy import circuit
from bitweight.cost_models.gate_run import Circuit
from bitweight.cost_models.netlist import flatten
from bitweight.cost_models.synthesis import Source
from bitweight.sim.catalog import DATAPATHS, ENGINES
from bitweight.sim.engine import simulate
from bitweight.sim.pe.digit import SparseDigitSpec
from bitweight.sim.pe.mac import MacSpec, MacStructure
from bitweight.sim.spec import PeSpec
from bitweight.verify.characterise.energies import play_stream
from bitweight.verify.characterise.netlists import engine_source, pe_source
from bitweight.verify.characterise.real_tiles import full_tile
from bitweight.verify.characterise.streams import pe_stream
from bitweight.verify.engine_check import Work
from bitweight.verify.netlist_check import NetlistError, play
from bitweight.verify.packed_plan import drawn_work
from bitweight.workloads.formats import INT4

_SYNTH = """
read_verilog {directory}/in.v
synth -flatten -top {top}
dfflegalize -cell $_DFF_P_ 01
dfflibmap -liberty {cells} -dont_use DFFR_NO_DEFAULT
abc -liberty {cells} -dont_use DFFR_NO_DEFAULT
opt_clean -purge
write_json {directory}/out.json
"""


def _circuit(source: Source, directory: Path) -> Circuit:
    """Return a netlist of the tiny cells: plain synthesis, no recipe of ours."""
    (directory / "in.v").write_text(source.verilog)
    script = directory / "synth.ys"
    script.write_text(_SYNTH.format(directory=directory, top=source.top, cells=TINY))
    code = f"from pyosys import libyosys; libyosys.Design().run_pass('script {script}')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads((directory / "out.json").read_text())
    library = tiny_library()
    return circuit(flatten(document, source.top, library), library)


def _pes() -> Iterator[PeSpec]:
    """Yield every PE of an engine, and the other MACs."""
    known = {spec.pe.name: spec.pe for spec in ENGINES.values()}
    # int4 operands: the cells are few, and so are the minutes.
    for spec in (*known.values(), MacSpec(pipelined=True), MacSpec(structure=MacStructure.FUSED)):
        yield replace(spec, a=INT4, b=INT4, acc_width=16)


@pytest.mark.slow
@pytest.mark.parametrize("spec", list(_pes()))
def test_netlists_of_pes_sum_up_their_streams(spec: PeSpec, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(-8, 8, (2, 3, 32))
    # Sums of nothing but zero digits, and of the most negative codes.
    a[0], b[1, :16], a[1, :16] = 0, -8, -8
    built = _circuit(pe_source(spec), tmp_path)
    stream = pe_stream(spec, a, b)
    play_stream(built, spec, "drawn", stream)
    assert stream.busy_slots + stream.idle_slots > 0
    broken = replace(stream, sums=[*stream.sums[:-1], stream.sums[-1] + 1])
    with pytest.raises(NetlistError, match="words add up to"):
        play_stream(built, spec, "drawn", broken)


def test_digit_streams_count_digits_and_empty_slots() -> None:
    # 5 is 01 01 in two's complement radix 4: two digits of one; the other seven codes are zero.
    a, b = np.zeros((1, 16), np.int64), np.ones((1, 16), np.int64)
    a[0, 0] = 5
    stream = pe_stream(SparseDigitSpec(), a, b)
    # Four passes of four groups: two slots with a digit, fourteen without.
    assert (stream.busy_slots, stream.idle_slots) == (2, 14)


@pytest.mark.slow
def test_a_small_engines_netlist_is_its_models_and_no_others(tmp_path: Path) -> None:
    spec = ENGINES["systolic_os/mac"].small
    spec = replace(spec, pe=replace(spec.pe, a=INT4, b=INT4, acc_width=16))
    built = _circuit(engine_source(spec), tmp_path)
    rng = np.random.default_rng(0)
    work = Work("drawn", rng.integers(-8, 8, (5, 21)), rng.integers(-8, 8, (21, 6)))
    run, result = play(built, spec, work)
    assert run.cycles == run.clocks == result.cycles
    with pytest.raises(NetlistError, match="systolic_os/mac, drawn: "):
        play(built, replace(spec, rows=spec.rows + 1), work)


@pytest.mark.slow
def test_a_small_packed_engines_netlist_gives_the_models_beats(tmp_path: Path) -> None:
    spec = DATAPATHS["lookup/tl1"].small
    built = _circuit(engine_source(spec), tmp_path)
    n = 2 * spec.n_multiple
    work = drawn_work("drawn", spec.pe, np.random.default_rng(0), m=2, n=n, k=4 * spec.k_multiple)
    run, result = play(built, spec, work)
    assert (run.cycles, run.clocks) == (result.cycles, result.cycles)


@pytest.mark.parametrize(
    "name", ["systolic_os/mac", "systolic_ws/mac", "adder_tree/mac", "cube/mac"]
)
def test_full_tiles_keep_an_engine_busy(name: str) -> None:
    spec = ENGINES[name]
    work = full_tile(spec)
    activity = simulate(spec, work.a, work.b).activity
    assert activity.digits / (activity.digits + activity.idle_slots) > 0.9
