"""A characterisation: every design measured in one technology, into one data file."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from bitweight.cost_models.cell_library import CellLibrary, read_library
from bitweight.cost_models.measurements import Measurements, NetlistPoint, load, shipped
from bitweight.cost_models.synthesis import yosys_version
from bitweight.cost_models.technology import TECHNOLOGIES, Technology
from bitweight.cost_models.timing import sta_version
from bitweight.verify.characterise.data_file import Address, add_netlists, open_data
from bitweight.verify.characterise.measure import measure
from bitweight.verify.characterise.netlists import source
from bitweight.verify.characterise.points import recipes_for

# Cells for holding, isolating and probing, which are no logic.
_DONT_USE = ("*dly*", "*lpflow*", "*probe*")


def technology_library(name: str, liberty: Sequence[Path]) -> CellLibrary:
    """Return the cells of a technology from Liberty files.

    Args:
        name: One of ``TECHNOLOGIES``, whose files these must be, or a name of the user's own.
        liberty: Unzipped Liberty files.

    Raises:
        ValueError: If these are not the files of that technology.
        OSError: If one cannot be read.
    """
    library = read_library(sorted(liberty, key=lambda path: path.name), dont_use=_DONT_USE)
    if name in TECHNOLOGIES:
        _check_files(TECHNOLOGIES[name], library)
    return library


def _check_files(technology: Technology, library: CellLibrary) -> None:
    wished = {file.sha256: file.name for file in technology.files}
    for name, digest in zip(library.names, library.sha256s, strict=True):
        if wished.pop(digest, None) is None:
            raise ValueError(
                f"{name} must be a Liberty file of {technology.name}, and its SHA-256 is not one "
                f"of them; give --technology another name for cells of your own"
            )
    if wished:
        raise ValueError(f"{technology.name} must have all its files: {', '.join(wished.values())}")


def header(technology: str, library: CellLibrary) -> dict[str, Any]:
    """Return the first line of a data file."""
    files = " ".join(f"--liberty {name}" for name in library.names)
    out = f"-o {technology}.jsonl"
    return {
        "technology": technology,
        "liberty": dict(zip(library.names, library.sha256s, strict=True)),
        "tools": [yosys_version(), sta_version()],
        "command": f"bitweight characterise --technology {technology} {files} {out}",
    }


def characterise(
    technology: str,
    library: CellLibrary,
    addresses: Sequence[Address],
    out: Path,
    *,
    targets_ns: Sequence[float] = (),
    on_done: Callable[[int, int], None] = lambda done, total: None,
    on_points: Callable[[Sequence[NetlistPoint]], None] = lambda points: None,
) -> None:
    """Measure designs; go on where a run before this one stopped.

    Args:
        technology: Name of the technology.
        library: Its cells.
        addresses: Designs, in the order of the file.
        out: Data file.
        targets_ns: Clock periods; without any the front of each design.
        on_done: Told how many of all designs are there.
        on_points: Told the points of every design that was measured now.

    Raises:
        SynthesisError: If a tool is missing or fails.
        ValueError: If ``out`` holds something else, or an address is none.
    """
    held = open_data(out, header(technology, library))
    for number, address in enumerate(addresses):
        on_done(number, len(addresses))
        verilog = source(*address)
        if _is_there(held, address, sha256(verilog.verilog.encode()).hexdigest(), targets_ns):
            continue
        recipes = recipes_for(address, _known(technology, out))
        points = measure(address, verilog, library, recipes, targets_ns=targets_ns)
        add_netlists(out, points, addresses)
        on_points(points)
    on_done(len(addresses), len(addresses))


def _known(technology: str, out: Path) -> list[NetlistPoint]:
    """Return what is measured of PEs: in the file, else in what is shipped of the technology."""
    own = load(out).netlists
    measured = {(point.design, point.settings) for point in own}
    others = shipped(technology).netlists if technology in TECHNOLOGIES else ()
    return [*own, *(p for p in others if (p.design, p.settings) not in measured)]


def _is_there(
    held: Measurements, address: Address, digest: str, targets_ns: Sequence[float]
) -> bool:
    there = [
        point.target_ns
        for point in held.netlists
        if (point.design, point.settings) == address and point.verilog_sha256 == digest
    ]
    return bool(there) and set(targets_ns) <= set(there)
