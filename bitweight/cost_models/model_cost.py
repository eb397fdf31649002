"""What a whole language model costs on an engine with its memories, by kind of layer.

A model is known by its shapes (``workloads.models``). Its linear layers run in the engine's weight
format. Attention multiplies activations with one another: it runs on the same engine with int8 keys
and values, behind no decoder; engines whose weights are narrower, or packed in a way of their own,
have no place for it, and say so in ``left_out``. Totals of linear layers and of all layers are kept
apart, so that designs are compared on the same work.

A k that a scale group does not divide ends in a shorter group, a shorter GEMM, as in ``sim``; what
an engine or a format refuses, it refuses here, by name.

Left out: everything that is no matrix product (norms, softmax, rotations, embedding look-up), and
what ``layer_time`` leaves out. Layers run one after another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

from bitweight.cost_models.cost import Figure
from bitweight.cost_models.layer_time import ArrayEnergy, LayerCost, Limit, joined, layer_cost
from bitweight.cost_models.system import System
from bitweight.cost_models.traffic import weight_format
from bitweight.sim import design
from bitweight.sim.catalog import address
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.pe.mac import MacSpec, MacStructure
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.formats import INT8
from bitweight.workloads.gemm import Gemm
from bitweight.workloads.models import model_gemms
from bitweight.workloads.phase import Phase

ENGINES = (
    "systolic_os/mac",
    "systolic_os/carry_save",
    "matrix_2d/same_weight",
    "column/shared_encoder",
)
"""Engines that whole models are compared on."""

DECODED_FORMATS = ("int8", "int4", "dual_grained", "nf4")
"""Weight formats that each of ``ENGINES`` runs."""

OWN_ENGINES = ("decoder/seedlm4", "lookup/tl2")
"""Engines of formats that run on no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRun:
    """One step of a model.

    Attributes:
        model: The model's slug, for example ``llama-3-8b``.
        phase: Prefill of a prompt, or decode of a token.
        tokens: Prompt length of a prefill.
        batch: Sequences computed together.
        context: Tokens attended to; None: as ``model_gemms`` has it.
    """

    model: str
    phase: Phase
    tokens: int = 512
    batch: int = 1
    context: int | None = None

    @property
    def gemms(self) -> tuple[Gemm, ...]:
        """Its matrix products, one for each kind of layer."""
        return model_gemms(
            self.model,
            phase=self.phase,
            tokens=self.tokens,
            batch=self.batch,
            context=self.context,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCost:
    """A step of a model on an engine.

    Attributes:
        design: Name of the engine, with its formats.
        format: Name of the weight format.
        run: The step.
        linear: Layers with weights, by kind.
        attention: Products of activations, by kind; empty if the engine has no place for them.
        left_out: Kinds of layers that are not in it.
    """

    design: str
    format: str
    run: ModelRun
    linear: tuple[LayerCost, ...]
    attention: tuple[LayerCost, ...]
    left_out: tuple[str, ...]

    @property
    def layers(self) -> tuple[LayerCost, ...]:
        """All kinds of layers that are in it."""
        return (*self.linear, *self.attention)

    @property
    def linear_time_us(self) -> float:
        """Time of all layers with weights."""
        return total_time_us(self.linear)

    @property
    def time_us(self) -> float:
        """Time of all layers that are in it."""
        return total_time_us(self.layers)

    @property
    def linear_energy_pj(self) -> Figure:
        """Energy of all layers with weights."""
        return total_energy_pj(self.linear)

    @property
    def energy_pj(self) -> Figure:
        """Energy of all layers that are in it."""
        return total_energy_pj(self.layers)

    @property
    def limit(self) -> Limit:
        """What sets the pace for most of the time of the layers with weights."""
        return limiting(self.linear)


def total_time_us(layers: Iterable[LayerCost]) -> float:
    """Return the time of all calls of layers, one after another."""
    return sum(layer.calls * layer.time_us for layer in layers)


def total_energy_pj(layers: Iterable[LayerCost]) -> Figure:
    """Return the energy of all calls of layers, by part."""
    return joined(
        replace(
            layer.energy_pj,
            parts={name: layer.calls * part for name, part in layer.energy_pj.parts.items()},
        )
        for layer in layers
    )


def limiting(layers: Sequence[LayerCost]) -> Limit:
    """Return what sets the pace for most of the time; of equals the first of ``Limit``."""
    times = {
        limit: total_time_us(layer for layer in layers if layer.limit is limit) for limit in Limit
    }
    return max(times, key=lambda limit: times[limit])


def engine_with(engine: str, form: str) -> DesignSpec:
    """Return an engine of the catalog with int8 activations and weights in a format."""
    return design(f"{engine}/int8x{form}")


def compared_designs() -> tuple[DesignSpec, ...]:
    """Return the designs that whole models are compared on."""
    decoded = (engine_with(engine, form) for engine in ENGINES for form in DECODED_FORMATS)
    return (*decoded, *map(design, OWN_ENGINES))


def model_cost(
    spec: DesignSpec,
    run: ModelRun,
    *,
    technology: str,
    clock_mhz: float,
    system: System | None = None,
    array_energy: ArrayEnergy | None = None,
    seed: int = 0,
) -> ModelCost:
    """Return what a step of a model costs.

    Args:
        spec: The engine; activations play ``a``.
        run: Model, phase and sizes.
        technology: Name of a technology in ``TECHNOLOGIES``.
        clock_mhz: Clock of engine and buffers.
        system: Buffers and DRAM; by default those of ``System``.
        array_energy: What the engine's events cost; by default ``estimate``'s.
        seed: Seed of drawn activations, the same for every kind.

    Raises:
        ValueError: If the engine cannot run a layer of the model, or has no cost at this clock.
    """

    def cost(engine: DesignSpec, gemm: Gemm) -> LayerCost:
        return layer_cost(
            engine,
            gemm,
            system=system or System(),
            technology=technology,
            clock_mhz=clock_mhz,
            array_energy=array_energy,
            seed=seed,
        )

    plain = attention_engine(spec)
    attention = [gemm for gemm in run.gemms if not gemm.weighted]
    return ModelCost(
        design=name_with_format(spec),
        format=weight_format(spec).name,
        run=run,
        linear=tuple(cost(spec, gemm) for gemm in run.gemms if gemm.weighted),
        attention=() if plain is None else tuple(cost(plain, gemm) for gemm in attention),
        left_out=tuple(gemm.name for gemm in attention) if plain is None else (),
    )


def compare_models(
    runs: Sequence[ModelRun],
    *,
    technology: str,
    clock_mhz: float,
    designs: Sequence[DesignSpec] | None = None,
    system: System | None = None,
    array_energy: ArrayEnergy | None = None,
) -> list[ModelCost]:
    """Return what steps of models cost on several designs at one clock, run by run.

    Of a design with MACs the structure that takes less energy is taken: a baseline is the better
    one. ``designs`` are by default ``compared_designs``; the other arguments are ``model_cost``'s.
    """

    def cost(spec: DesignSpec, run: ModelRun) -> ModelCost:
        return model_cost(
            spec,
            run,
            technology=technology,
            clock_mhz=clock_mhz,
            system=system,
            array_energy=array_energy,
        )

    return [
        least_energy(cost(one, run) for one in mac_structures(spec))
        for run in runs
        for spec in designs or compared_designs()
    ]


def least_energy(costs: Iterable[ModelCost]) -> ModelCost:
    """Return the cost of the least energy over layers with weights; the first of equals."""
    return min(costs, key=lambda one: one.linear_energy_pj.total)


@singledispatch
def attention_engine(spec: Any) -> DesignSpec | None:
    """Return the engine that multiplies activations; None if it cannot hold int8 keys."""
    b = spec.pe.b
    found: DesignSpec | None = spec if b.min <= INT8.min and INT8.max <= b.max else None
    return found


@attention_engine.register
def _(spec: BlockDotSpec) -> None:
    return


@attention_engine.register
def _(spec: DecodedSpec) -> DesignSpec | None:
    return attention_engine(spec.engine)


def name_with_format(spec: DesignSpec) -> str:
    """Return the name of a design that tells its operands' formats, and what else differs."""
    name, settings = address(spec)
    others = (one for one in settings if not one.startswith(("pe.a=", "pe.b=")))
    return " ".join([f"{name}{_formats(spec)}", *others])


@singledispatch
def _formats(spec: Any) -> str:
    return f"/{spec.pe.a}x{spec.pe.b}"


@_formats.register
def _(spec: BlockDotSpec | DecodedSpec) -> str:
    """Say nothing: the name has them."""
    return ""


@singledispatch
def mac_structures(spec: Any) -> tuple[DesignSpec, ...]:
    """Return a design with its MACs in each structure, where it has MACs; else alone.

    A baseline is the best of them at a clock.
    """
    if not isinstance(spec.pe, MacSpec):
        return (spec,)
    return tuple(
        replace(spec, pe=replace(spec.pe, structure=structure)) for structure in MacStructure
    )


@mac_structures.register
def _(spec: BlockDotSpec) -> tuple[DesignSpec, ...]:
    return (spec,)


@mac_structures.register
def _(spec: DecodedSpec) -> tuple[DesignSpec, ...]:
    engines: Any = mac_structures(spec.engine)
    return tuple(replace(spec, engine=engine) for engine in engines)
