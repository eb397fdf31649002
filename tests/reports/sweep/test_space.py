"""Spaces: what TOML says, and what it must not."""

from pathlib import Path

import pytest

from bitweight.reports.sweep import example_space, read_space
from bitweight.reports.sweep.space import (
    DesignAxis,
    ModelLayers,
    Refusals,
    Space,
    TraceLayers,
)
from bitweight.workloads.operands import Distribution
from bitweight.workloads.phase import Phase

HEAD = 'technologies = ["sg13g2"]\nclocks_mhz = [100]\n'
DESIGNS = '[[designs]]\nnames = ["systolic_os/mac"]\n'
LAYERS = '[[layers]]\ntrace = "example"\n'


def space(tmp_path: Path, text: str) -> Space:
    file = tmp_path / "s.toml"
    file.write_text(text)
    return read_space(file)


def test_every_key_is_read(tmp_path: Path) -> None:
    text = """
    technologies = ["sg13g2", "asap7"]
    clocks_mhz = [100, 62.5]
    refused = "rows"
    [[designs]]
    names = ["systolic_os/mac", "cube/mac"]
    settings = [[], ["rows=8", "cols=4"]]
    formats = ["int8", "nf4"]
    [[layers]]
    trace = "t.safetensors"
    names = ["one"]
    [[layers]]
    model = "smollm2-135m"
    phase = "decode"
    names = ["attn_q"]
    tokens = 2
    batch = 3
    context = 4
    operands = "uniform"
    seed = 5
    """
    assert space(tmp_path, text) == Space(
        technologies=("sg13g2", "asap7"),
        clocks_mhz=(100.0, 62.5),
        refused=Refusals.ROWS,
        designs=(
            DesignAxis(
                names=("systolic_os/mac", "cube/mac"),
                settings=((), ("rows=8", "cols=4")),
                formats=("int8", "nf4"),
            ),
        ),
        layers=(
            TraceLayers(path=tmp_path / "t.safetensors", names=("one",)),
            ModelLayers(
                model="smollm2-135m",
                phase=Phase.DECODE,
                names=("attn_q",),
                tokens=2,
                batch=3,
                context=4,
                operands=Distribution(),
                seed=5,
            ),
        ),
    )


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    found = space(tmp_path, HEAD + DESIGNS + LAYERS + '[[layers]]\nmodel = "smollm2-135m"\n')
    assert found.refused is Refusals.STOP
    assert found.designs == (DesignAxis(names=("systolic_os/mac",), settings=((),), formats=()),)
    assert found.layers[0] == TraceLayers(path=None)
    assert found.layers[1] == ModelLayers(model="smollm2-135m")


def test_the_shipped_example_is_a_space() -> None:
    assert read_space(example_space()).designs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clocks_mhz = [", "must be a TOML file: "),
        ("", "space must have technologies, which is missing"),
        ("technology = []", "space has no key 'technology' .*; did you mean 'technologies'?"),
        ("technologies = []", "space.technologies: must be a list of at least one entry, not "),
        ('technologies = ["asap"]', "must be of sg13g2, sky130hd, asap7, not 'asap'; did you mean"),
        (HEAD + 'refused = "row"', "space.refused: must be one of stop, rows, not 'row'"),
        (HEAD + "designs = [1]", r"designs\[0\] must be a table, not 1"),
        (HEAD + '[[designs]]\nname = ["a"]', r"designs\[0\] has no key 'name' .*mean 'names'"),
        (HEAD + '[[designs]]\nnames = ["a"]\nsettings = ["rows=1"]', "must be lists of 'field=val"),
        (HEAD + DESIGNS + '[[layers]]\nfile = "x"', r"layers\[0\] has no key 'file'"),
        (HEAD + DESIGNS + '[[layers]]\ntrace = "x"\nseed = 1', r"layers\[0\] has no key 'seed'"),
        (HEAD + DESIGNS + '[[layers]]\nmodel = "x"\nseed = -1', "seed: must be an integer from 0"),
        (HEAD + DESIGNS + '[[layers]]\nmodel = "x"\nbatch = true', "batch: must be an integer fro"),
        (HEAD + DESIGNS + '[[layers]]\nmodel = "x"\noperands = "n"', "operands: Operands must be "),
        (HEAD + DESIGNS, "space must have layers, which is missing"),
    ],
)
def test_what_is_no_space_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        space(tmp_path, text)
    assert "s.toml" in str(caught.value)


@pytest.mark.parametrize("clock", ["0", "-1", "inf", "nan", "true", '"100"'])
def test_a_clock_is_a_positive_number(tmp_path: Path, clock: str) -> None:
    text = f'technologies = ["sg13g2"]\nclocks_mhz = [{clock}]\n' + DESIGNS + LAYERS
    with pytest.raises(ValueError, match="clocks_mhz: must be positive numbers of MHz, not "):
        space(tmp_path, text)
