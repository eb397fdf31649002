"""Standard-cell technologies that costs are given in: data, with their sources.

A technology is named by its Liberty files. The package ships what was measured with them
(``cost_models/data``), not the files: ``characterise --liberty FILE`` takes a user's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class LibertyFile:
    """A Liberty file, by content.

    Attributes:
        name: File name as published, without ``.gz``.
        sha256: Of the unzipped text.
        source: Where it was published: repository, commit and path.
    """

    name: str
    sha256: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Technology:
    """A standard-cell library at one corner.

    Attributes:
        name: Name in the catalog and of its data file.
        title: What it is, in words.
        node_nm: Nominal feature size.
        voltage_v: Supply voltage of the corner.
        temperature_c: Temperature of the corner.
        corner: Process corner.
        files: Its Liberty files.
        licence: SPDX identifier of the files' licence.
    """

    name: str
    title: str
    node_nm: float
    voltage_v: float
    temperature_c: float
    corner: str
    files: tuple[LibertyFile, ...]
    licence: str

    def __str__(self) -> str:
        """Return title and corner, as reports name it."""
        return f"{self.title}, {self.corner}, {self.voltage_v:g} V, {self.temperature_c:g} C"


_OPENSTA = "github.com/The-OpenROAD-Project/OpenSTA @ d1b2b3962cd4"

_TECHNOLOGIES = (
    Technology(
        name="sg13g2",
        title="IHP SG13G2 130 nm",
        node_nm=130,
        voltage_v=1.2,
        temperature_c=25,
        corner="typical",
        files=(
            LibertyFile(
                name="sg13g2_stdcell_typ_1p20V_25C.lib",
                sha256="7677a8918689f452e80405ad16a83e744709342574f2aedcc507c2758986b396",
                source="github.com/IHP-GmbH/IHP-Open-PDK @ 5cccb161f749, "
                "ihp-sg13g2/libs.ref/sg13g2_stdcell/lib",
            ),
        ),
        licence="Apache-2.0",
    ),
    Technology(
        name="sky130hd",
        title="SkyWater SKY130 high density 130 nm",
        node_nm=130,
        voltage_v=1.8,
        temperature_c=25,
        corner="typical",
        files=(
            LibertyFile(
                name="sky130_fd_sc_hd__tt_025C_1v80.lib",
                sha256="70a45bf9b5ea8f6a701dc34744b5c767b38e1af31b1d1f97309a97ec64603ecf",
                source=f"{_OPENSTA}, examples/sky130hd_tt.lib.gz",
            ),
        ),
        licence="Apache-2.0",
    ),
    Technology(
        name="asap7",
        title="ASAP7 predictive 7 nm, RVT",
        node_nm=7,
        voltage_v=0.63,
        temperature_c=100,
        corner="slow",
        files=tuple(
            LibertyFile(
                name=f"asap7sc7p5t_{part}.lib",
                sha256=sha256,
                source=f"{_OPENSTA}, test/asap7",
            )
            for part, sha256 in (
                (
                    "AO_RVT_SS_nldm_211120",
                    "55584f8ac4910eefdbaf0183b021681cd87b3b9d62a62d6f802a601e79002df9",
                ),
                (
                    "INVBUF_RVT_SS_nldm_220122",
                    "971247fdbb98c969300444c440ce5a5f3bc64a17c402e2025cf09c87908e97c0",
                ),
                (
                    "OA_RVT_SS_nldm_211120",
                    "bf962aaa931b8bfeb8133719db6f6da0dde86fb373dd03629bf492f33f75c649",
                ),
                (
                    "SEQ_RVT_SS_nldm_220123",
                    "c6a6d9ad22bfb1bc9cf1c4ac66d09ce575ca18648ce4e50597d92174bc290d78",
                ),
                (
                    "SIMPLE_RVT_SS_nldm_211120",
                    "29f2d9c5153299a3907df523633bb84fda8f291d90b3b0058d22ed5d67e719ee",
                ),
            )
        ),
        licence="BSD-3-Clause",
    ),
)

TECHNOLOGIES: Mapping[str, Technology] = MappingProxyType({t.name: t for t in _TECHNOLOGIES})
"""Technologies whose measurements are shipped."""


def title(name: str) -> str:
    """Return what a technology is called in reports: one of a user's own goes by its name."""
    return TECHNOLOGIES[name].title if name in TECHNOLOGIES else name
