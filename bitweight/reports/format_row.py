"""What a weight format costs on a layer: one row of a comparison."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSize:
    """An engine and its size.

    Attributes:
        design: Name in the catalog, with formats if they are not the default.
        rows: Rows of activations that a beat carries.
        columns: Outputs of a row that are computed together.
        lanes: Products, or what stands for them, of one output in one clock.
    """

    design: str
    rows: int
    columns: int
    lanes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseCost:
    """What a layer costs in decode (its first token alone) or in prefill (all of its tokens).

    Attributes:
        tokens: Rows of activations.
        weight_bytes: Bytes of weights and scales fetched: those of the layer, times how often the
            engine wants them.
        cycles: Engine cycles.
    """

    tokens: int
    weight_bytes: int
    cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsPerOutput:
    """Arithmetic of the engine in prefill over its outputs; scaling of finished sums is not in it.

    Attributes:
        lookups: Reads of a table.
        adds: Additions and subtractions, with those that build tables and accumulate.
        multiplies: Multiplications.
    """

    lookups: float
    adds: float
    multiplies: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRow:
    """One weight format on one layer.

    Attributes:
        format: Its name.
        engine: What runs it.
        bits_per_weight: Stored bits, scales and padding included.
        weight_error: Relative error of the weights, Frobenius norm, against the layer's own.
        output_error: Relative error of the engine's scaled sums on the layer's activations, against
            the same activations times the layer's own weights.
        decode: Cost of one token.
        prefill: Cost of all tokens.
        per_output: Arithmetic of an output.
        short_groups: Scale groups that k does not fill.
    """

    format: str
    engine: EngineSize
    bits_per_weight: float
    weight_error: float
    output_error: float
    decode: PhaseCost
    prefill: PhaseCost
    per_output: OperationsPerOutput
    short_groups: int
