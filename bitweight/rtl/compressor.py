"""Compressor trees on signals: carries out the plan of ``sim.compressor``, adder by adder."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value

from bitweight.sim.compressor import CompressorTree


def compress(
    m: Module, tree: CompressorTree, bits: Sequence[Value], *, name: str = "add"
) -> tuple[Value, Value]:
    """Add the adders of ``tree`` to ``m``.

    Args:
        m: Module that takes the adders, as combinational statements.
        tree: The plan.
        bits: Its inputs, one bit each, in the plan's order.
        name: How the adders' signals begin.

    Returns:
        The sum word and the carry word, ``tree.width`` bits each.
    """
    nodes: list[Value] = list(bits)
    for number, adder in enumerate(tree.adders):
        total = Signal(name=f"{name}{number}_sum")
        carry = Signal(name=f"{name}{number}_carry")
        inputs = [nodes[node] for node in adder.inputs]
        if len(inputs) == 2:
            x, y = inputs
            m.d.comb += [total.eq(x ^ y), carry.eq(x & y)]
        else:
            # The tree lists the latest input last: one XOR away from the sum.
            x, y, late = inputs
            m.d.comb += [total.eq((x ^ y) ^ late), carry.eq((x & y) | ((x ^ y) & late))]
        nodes += [total, carry]
    words = [
        Cat(
            *(nodes[column[word]] if len(column) > word else Const(0, 1) for column in tree.outputs)
        )
        for word in range(2)
    ]
    return words[0], words[1]
