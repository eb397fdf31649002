"""Cycle counts as another simulator defines them, to hold ours against.

SCALE-Sim folds a GEMM onto an array: two of its dimensions are laid over rows and columns, the
third streams. Folds do not overlap, and every fold takes the time of a full one, however ragged:

    os   rows <- m, cols <- n, stream k        stream + rows + cols - 2
    ws   rows <- k, cols <- n, stream m        rows + stream + rows + cols - 2
    is   rows <- k, cols <- m, stream n        rows + stream + rows + cols - 2

``rows + cols - 2`` is the skew from the first processing element to the last; the leading ``rows``
load the stationary operand. It counts clocks from 0 and reports the number of the last one, so a
total is one less than the sum of its folds.

Source: Samajdar et al., "A Systematic Methodology for Characterizing Scalability of DNN
Accelerators using SCALE-Sim", ISPASS 2020; counts as of release 3.0.0 without memory stalls.
"""

from bitweight.workloads.gemm import check_sizes

DATAFLOWS = ("os", "ws", "is")


def scalesim_cycles(dataflow: str, *, m: int, n: int, k: int, rows: int, cols: int) -> int:
    """Return SCALE-Sim's ``Total Cycles`` of one GEMM with unlimited memory bandwidth.

    Args:
        dataflow: Which operand stays in place: ``"os"`` (C), ``"ws"`` (B) or ``"is"`` (A).
        m: Rows of A and C.
        n: Columns of B and C.
        k: Columns of A and rows of B.
        rows: Rows of the array.
        cols: Columns of the array.

    Raises:
        ValueError: If the dataflow is unknown or a size is below one.
    """
    if dataflow not in DATAFLOWS:
        raise ValueError(f"Dataflow must be one of {', '.join(DATAFLOWS)}, not {dataflow!r}")
    check_sizes(m=m, n=n, k=k, rows=rows, cols=cols)
    over_rows, over_cols, streamed = {"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[dataflow]
    folds = -(-over_rows // rows) * -(-over_cols // cols)
    load = 0 if dataflow == "os" else rows
    return folds * (load + streamed + rows + cols - 2) - 1
