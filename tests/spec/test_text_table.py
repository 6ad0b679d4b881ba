"""Aligned text tables."""

from recsys_ae.spec.text_table import aligned


def test_columns_are_as_wide_as_their_longest_cell() -> None:
    assert list(aligned(("name", ">number"), [("a", "1"), ("long name", "22,222,222"), ("", "")])) == [
        "name           number",
        "a                   1",
        "long name  22,222,222",
        "",
    ]


def test_a_table_may_have_no_rows() -> None:
    assert list(aligned(["name", ">number"], [])) == ["name  number"]
