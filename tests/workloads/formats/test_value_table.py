from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from bitweight.workloads.formats import INT4, UINT8
from bitweight.workloads.formats.value_table import NF2, NF3, NF4, ValueTable, entry_errors
from bitweight.workloads.packed_weights import PackedWeights

FORMS = st.sampled_from([ValueTable(table=table) for table in (NF2, NF3, NF4)])


@st.composite
def matrices(draw: st.DrawFn) -> tuple[ValueTable, np.ndarray, np.ndarray]:
    """Draw a format, codes (k, n) and scales (n, groups)."""
    form = draw(FORMS)
    form = ValueTable(table=form.table, group=draw(st.integers(1, 40)))
    k, n = draw(st.integers(1, 70)), draw(st.integers(1, 4))
    codes = draw(npst.arrays(np.int64, (k, n), elements=st.integers(0, len(form.table) - 1)))
    scale = draw(
        npst.arrays(np.float16, (n, -(-k // form.group)), elements=st.floats(0, 60000, width=16))
    )
    return form, codes, scale


@given(case=matrices())
def test_packing_keeps_every_code(case: tuple[ValueTable, np.ndarray, np.ndarray]) -> None:
    form, codes, scale = case
    np.testing.assert_array_equal(form.unpack(form.pack(codes, scale)), codes)


@given(case=matrices())
def test_bits_by_formula_are_the_bytes_held(
    case: tuple[ValueTable, np.ndarray, np.ndarray],
) -> None:
    form, codes, scale = case
    k, n = codes.shape
    assert form.pack(codes, scale).bytes * 8 == round(form.bits_per_weight(k=k, n=n) * k * n, 6)


@given(case=matrices())
def test_words_hold_the_pairs_of_their_block_from_bit_0_up(
    case: tuple[ValueTable, np.ndarray, np.ndarray],
) -> None:
    form, codes, scale = case
    words = form.pack(codes, scale).words
    bits = form.bits
    for output in range(codes.shape[1]):
        row = codes[:, output].tolist() + [form.zero_code] * (-len(codes) % form.block)
        pairs = [row[at] << bits | row[at + 1] for at in range(0, len(row), 2)]
        if bits == 3:
            assert words[output].tolist() == [
                word for at in range(0, len(pairs), 16) for word in three_words(pairs[at : at + 16])
            ]
            continue
        in_word = 16 // (2 * bits)
        assert words[output].tolist() == [
            sum(pair << 2 * bits * i for i, pair in enumerate(pairs[at : at + in_word]))
            for at in range(0, len(pairs), in_word)
        ]


def three_words(pairs: list[int]) -> list[int]:
    """Return the words of 16 six-bit pairs, bit by bit."""
    words = []
    for w in range(3):
        text = "".join(f"{pairs[i]:06b}" for i in (w + 12, w + 9, w + 6, w + 3, w))
        last = f"{pairs[15]:06b}"
        words.append(int(last[6 - 2 * w - 2 : 6 - 2 * w] + text, 2))
    return words


@given(case=matrices())
def test_a_weight_is_its_fp16_value_times_its_fp16_scale(
    case: tuple[ValueTable, np.ndarray, np.ndarray],
) -> None:
    form, codes, scale = case
    weights = form.pack(codes, scale).dequantise()
    for i, row in enumerate(codes.tolist()):
        for j, code in enumerate(row):
            value = float(np.float16(form.table[code])) * float(scale[j, i // form.group])
            assert weights[i, j] == value


@given(case=matrices(), seed=st.integers(0, 99))
def test_scaled_group_sums_are_the_products_with_the_entries(
    case: tuple[ValueTable, np.ndarray, np.ndarray], seed: int
) -> None:
    form, codes, scale = case
    packed = form.pack(codes, scale)
    x = np.random.default_rng(seed).integers(-128, 128, (2, len(codes)))
    entries = np.array(form.entries)[codes]
    partials = np.stack(
        [
            x[:, at : at + form.group] @ entries[at : at + form.group]
            for at in range(0, len(codes), form.group)
        ],
        axis=2,
    )[:, :, None]
    weights = entries * form.unit * np.repeat(scale.astype(float), form.group, 1)[:, : len(codes)].T
    np.testing.assert_allclose(
        form.apply_scales(partials, packed), x @ weights, rtol=1e-9, atol=1e-6
    )


@pytest.mark.parametrize(("table", "bits"), [(NF2, 2), (NF3, 3), (NF4, 4)])
def test_normal_floats_are_quantiles_of_the_normal_distribution(
    table: tuple[float, ...], bits: int
) -> None:
    reach = 1 - (1 / 32 + 1 / 30) / 2
    half = 2 ** (bits - 1)
    below = [reach + (0.5 - reach) * i / (half - 1) for i in range(half)]
    above = [0.5 + (reach - 0.5) * i / half for i in range(1, half + 1)]
    quantile = NormalDist().inv_cdf
    values = [*(-quantile(p) for p in below), *(quantile(p) for p in above)]
    greatest = max(map(abs, values))
    np.testing.assert_allclose([v / greatest for v in values], table, rtol=0, atol=2e-7)


def test_four_and_two_bit_words_begin_at_bit_0_with_the_first_code_in_the_high_half() -> None:
    scale = np.ones((1, 1), np.float16)
    four = ValueTable().pack(np.array([[1], [2], [3], [4], [5]]), scale)
    assert [hex(word) for word in four.words[0]] == ["0x3412", "0x7757"]  # 7 is NF4's zero
    two = ValueTable(table=NF2).pack(np.array([[3], [0], [1], [2], [0], [0], [2], [1]]), scale)
    assert [hex(word) for word in two.words[0]] == ["0x906c"]


def test_three_bit_words_spread_the_last_pair_over_their_top_bits() -> None:
    codes = np.zeros((32, 1), int)
    codes[30:, 0] = (0b110, 0b001)  # pair 15 is 110001: 01 to word 0, 00 to word 1, 11 to word 2
    codes[0, 0], codes[9, 0] = 7, 5  # high half of pair 0, low half of pair 4
    packed = ValueTable(table=NF3).pack(codes, np.ones((1, 1), np.float16))
    assert [hex(word) for word in packed.words[0]] == ["0x40000038", "0x140", "0xc0000000"]


def test_nf4_entries_are_the_table_in_127ths() -> None:
    assert ValueTable().entries == (
        *(-127, -88, -67, -50, -36, -23, -12, 0, 10, 20, 31, 43, 56, 71, 92, 127),
    )


def test_entry_errors_stay_below_half_a_unit() -> None:
    for table in (NF2, NF3, NF4):
        for width in range(2, 17):
            form = ValueTable(table=table, entry=type(INT4)(width=width))
            assert np.abs(entry_errors(form)).max() <= form.unit / 2
    assert np.abs(entry_errors(ValueTable())).max() == pytest.approx(0.00371, abs=1e-5)


def test_storage_is_the_published_rate() -> None:
    assert ValueTable().bits_per_weight(k=4096, n=1) == 4.125
    assert ValueTable(table=NF3).bits_per_weight(k=4096, n=1) == 3.125
    assert ValueTable(group=64).bits_per_weight(k=4096, n=1) == 4.25
    assert ValueTable(table=NF3, group=64).bits_per_weight(k=4096, n=1) == 3.25


def test_other_tables_have_a_name_of_their_size() -> None:
    table = ValueTable(table=(-2.0, -0.5, 0.25, 3.0))
    assert (table.name, table.zero_code, table.entries) == ("table2", 2, (-85, -21, 11, 127))
    assert [ValueTable(table=t).name for t in (NF2, NF3, NF4)] == ["nf2", "nf3", "nf4"]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (NF4[:-1], "Table must have 4, 8 or 16 values, not 15"),
        ((), "Table must have 4, 8 or 16 values, not 0"),
        ((0.0, 0.5, 0.5, 1.0), "Table must rise .* not 0.0, 0.5, 0.5, 1.0"),
        ((0.0, 1.0, 1.0001, 2.0), "Table must rise .* in fp16 too, not 0.0, 1.0, 1.0, 2.0"),
        ((0.0, 1.0, 2.0, 1e6), "Table must rise .* not 0.0, 1.0, 2.0, inf"),
        ((0.0, 1.0, float("nan"), 2.0), "Table must rise .* nan"),
    ],
)
def test_tables_that_codes_cannot_use_are_refused(table: tuple[float, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ValueTable(table=table)


def test_other_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="Group must be at least 1 weight, not 0"):
        ValueTable(group=0)
    with pytest.raises(ValueError, match="Table entries must be signed, not uint8"):
        ValueTable(entry=UINT8)


@pytest.mark.parametrize(
    ("scale", "text"),
    [
        (np.float16("inf"), "nf4 scale must be finite, not inf"),
        (np.float16(-1), "nf4 scale must be at least 0, not -1.0"),
    ],
)
def test_wrong_scales_are_refused(scale: np.float16, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ValueTable().pack(np.zeros((4, 1), int), np.array([[scale]]))


def test_words_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"nf4 words must have shape \(1, 2\), not \(1, 1\)"):
        PackedWeights(
            format=ValueTable(),
            k=5,
            n=1,
            words=np.zeros((1, 1), np.uint16),
            scales={"scale": np.ones((1, 1), np.float16)},
        )
