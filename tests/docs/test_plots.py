"""The plots in the documentation are drawn from the numbers that it has."""

from __future__ import annotations

from docs.plot_forms import PICTURE, measured, picture


def test_the_plot_of_forms_is_that_of_the_numbers() -> None:
    assert PICTURE.read_text() == picture()


def test_rows_are_those_of_today_with_two_times_at_batch_32_sorted_by_what_is_saved() -> None:
    head = "| model, batch | trtnet | neutral forms | ONNX | compile | eager | floor | error | ONNX | eager |\n"
    cells = (
        "a, 1 | 1.0 | 2.0",
        "b, 32 | 1.9 | 2.0",
        "e, 32 | 1.9 (a) | 2.0",
        "c, 32 (z) | 1.0 | 2.0",
        "d, 32 | 1.0 | ",
    )
    rows = "".join(f"| {each} {'| ' * 7}|\n" for each in cells)
    assert measured(head + rows) == [("c", 2.0, 1.0), ("b", 2.0, 1.9)]
