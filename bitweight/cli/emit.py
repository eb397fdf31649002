"""``bitweight emit``: a design as Verilog."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from bitweight.cli.options import Design, Json, Settings
from bitweight.cli.output import print_json, print_table
from bitweight.rtl.build import emit as emit_verilog
from bitweight.rtl.build import memories, module_name
from bitweight.sim import design
from bitweight.workloads.whole_files import write_whole


def emit(
    name: Design,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Verilog file to write.")],
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Write a design's Verilog; memories deeper than 16 words are listed."""
    spec = design(name, settings or ())
    data = emit_verilog(spec).encode()
    write_whole(out, data)
    row = {
        "file": str(out),
        "top": module_name(spec.name),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    blocks = [block._asdict() for block in memories(data.decode())]
    if json:
        print_json({**row, "memories": blocks})
        return
    print_table(list(row), [list(row.values())])
    if blocks:
        print_table(list(blocks[0]), [list(block.values()) for block in blocks])
