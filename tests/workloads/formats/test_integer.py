import pytest

from bitweight.sim import design
from bitweight.sim.recoding import RECODINGS
from bitweight.workloads.formats import INT8, SYMMETRIC_INT8, IntFormat


@pytest.mark.parametrize(
    ("text", "least", "greatest", "magnitude"),
    [
        ("int8", -128, 127, 128),
        ("uint8", 0, 255, 255),
        ("int8_symmetric", -127, 127, 127),
        ("int2_symmetric", -1, 1, 1),
        ("int16", -32768, 32767, 32768),
    ],
)
def test_a_name_gives_the_codes_and_is_written_again(
    text: str, least: int, greatest: int, magnitude: int
) -> None:
    form = IntFormat.parse(text)
    assert (form.min, form.max, form.max_magnitude) == (least, greatest, magnitude)
    assert str(form) == text


def test_a_symmetric_format_has_the_digits_of_the_full_one() -> None:
    for recoding in RECODINGS.values():
        assert (recoding.digit_table(SYMMETRIC_INT8) == recoding.digit_table(INT8)).all()
    assert design("systolic_os/mac/int8_symmetricxint4").pe.a == SYMMETRIC_INT8


def test_what_is_no_integer_format_is_refused() -> None:
    for text in ("int", "float8", "int8symmetric", "symmetric_int8"):
        with pytest.raises(ValueError, match=f"must look like int8 or uint4, not '{text}'"):
            IntFormat.parse(text)
    with pytest.raises(ValueError, match="A symmetric format must be signed, not uint8"):
        IntFormat.parse("uint8_symmetric")
    with pytest.raises(ValueError, match="Integer width must be 2 to 16 bits, not 17"):
        IntFormat.parse("int17")
