"""What is asked of many spans at once is what would be asked of each."""

from hypothesis import given
from hypothesis import strategies as st

from app.content.reading.covers import lies_in, touches, widest

spans = st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda each: (each[0], each[0] + each[1]))


@given(st.lists(spans, max_size=12), spans)
def test_one_of_many_spans_holds_or_touches_another(
    covers: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    start, end = asked
    assert lies_in(start, end, widest(covers)) == any(a <= start and end <= b for a, b in covers)
    assert touches(start, end, widest(covers)) == any(a < end and start < b for a, b in covers)
