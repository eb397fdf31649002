"""A second bench: plays one value per clock into any ports and records others after every edge.

For what has no streams, an array without its control. The plan file names ports and values, the
record file gets, per output port, its value after each edge in hexadecimal.
"""

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer


@cocotb.test()
async def play_waves(dut: Any) -> None:
    """Play the plan from its first edge on; no reset is given."""
    plan = json.loads(Path(os.environ["BITWEIGHT_PLAN"]).read_text())
    dut.clk.value = 0
    dut.rst.value = 0
    ports = {name: getattr(dut, name) for name in (*plan["inputs"], *plan["outputs"])}
    shown: dict[str, str] = {}
    record: dict[str, list[str]] = {name: [] for name in plan["outputs"]}
    for edge in range(plan["edges"]):
        for name, values in plan["inputs"].items():
            value = values[edge] if edge < len(values) else "0"
            if shown.get(name) != value:
                ports[name].value = int(value, 16)
                shown[name] = value
        await Timer(1, "ns")
        dut.clk.value = 1
        await Timer(1, "ns")
        for name, values in record.items():
            # A port of one bit has no method to_unsigned.
            values.append(f"{int(ports[name].value):x}")
        dut.clk.value = 0
    Path(os.environ["BITWEIGHT_RECORD"]).write_text(json.dumps(record))
