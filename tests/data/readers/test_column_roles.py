"""Tests of the roles of columns: recognised, refused, unused, and never given twice."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.readers.column_names import KNOWN, words
from recsys_ae.data.readers.column_roles import assign, has_header, remarks
from recsys_ae.data.readers.read import read_interactions
from recsys_ae.errors import DataError
from tests.data.files import refusal, written
from tests.data.test_interactions import rows_of

PAIR = ("user", "item")
STYLES = [
    str,
    str.upper,
    str.title,
    lambda name: f" {name} ",
    lambda name: f"{name}:token",
    lambda name: f"{name}:float",
]
UNUSED = st.sampled_from(["title", "session_id", "price", "avg_rating", "release_year", "Comment", "x", "order-id"])


def read(tmp_path: Any, text: str, **options: Any) -> Interactions:
    return read_interactions(written(tmp_path / "a.csv", text), **options)


class TestUsualNames:
    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(
        st.tuples(*(st.sampled_from(names) for names in KNOWN.values())),
        st.lists(st.sampled_from(STYLES), min_size=4, max_size=4),
        st.lists(UNUSED, unique=True, max_size=4),
        st.randoms(use_true_random=False),
    )
    def test_are_found_in_any_order_and_style_and_the_rest_is_named(self, names, styles, unused, random):
        styled = [style(name) for name, style in zip(names, styles, strict=True)]
        header = [*styled, *unused]
        random.shuffle(header)
        assert has_header(header, {}, None)
        roles = assign(header, {}, header=True)
        assert {role: header[position] for role, position in roles.items()} == dict(zip(KNOWN, styled, strict=True))
        said = " ".join(remarks(header, roles, {}, header=True))
        assert ("columns not used" in said) == bool(unused)
        assert all(name in said for name in unused)

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("User-ID;ISBN;Book-Rating", "User-ID ISBN Book-Rating"),
            ("marketplace,customer_id,review_id,product_id,product_title,star_rating,review_date",
             "customer_id product_id star_rating review_date"),
            ("user_id,anime_id,rating", "user_id anime_id rating"),
            ("user_id,video_id,play_duration,time,date,timestamp,watch_ratio", "user_id video_id timestamp"),
            ("timestamp,visitorid,event,itemid,transactionid", "visitorid itemid timestamp"),
            ("user_id:token\titem_id:token\trating:float\ttimestamp:float",
             "user_id:token item_id:token rating:float timestamp:float"),
            ("userID,artistID,weight", "userID artistID"),
            ("user,track,playcount", "user track"),
            ("session_id,member_id,hotel_id,event_timestamp", "member_id hotel_id event_timestamp"),
            ("user_id,beer_id,review_aroma,review_overall", "user_id beer_id review_overall"),
        ],
    )  # fmt: skip
    def test_of_published_tables(self, header, expected):
        separator = next(mark for mark in "\t;," if mark in header)
        names = header.split(separator)
        assert has_header(names, {}, None)
        roles = assign(names, {}, header=True)
        assert [names[position] for position in roles.values()] == expected.split(" ")

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            (
                "user,hotel_id,flight_id",
                "no column was recognised as the item; it may be hotel_id or flight_id; set item",
            ),
            ("user,session_id,rating", "no column was recognised as the item; set item to its name or position"),
            ("movie_id,director_id,rating", "no column was recognised as the user; set user to its name or position"),
        ],
    )
    def test_are_not_guessed(self, tmp_path, header, message):
        said = refusal(written(tmp_path / "a.csv", f"{header}\n1,2,3\n"))
        assert said.startswith(message)
        assert f"the columns are: {header.replace(',', ', ')}" in said

    def test_two_columns_that_end_in_rating_are_none(self, tmp_path):
        data = read(tmp_path, "user,item,story_rating,music_rating\n1,2,3,4\n")
        assert data.matrix.data.tolist() == [1]
        assert "ratings or kinds of events in story_rating, music_rating" in data.remarks[-1]

    def test_one_name_twice_is_refused(self, tmp_path):
        path = written(tmp_path / "a.csv", "user,item,rating,rating\n1,2,3,4\n")
        assert refusal(path) == "the column rating occurs 2 times; set rating to a position"
        assert read_interactions(path, rating=3).matrix.data.tolist() == [4]

    @pytest.mark.parametrize("row", ["madrid,operating,scores", "alice,x_rating,good rating"])
    def test_are_not_seen_in_text(self, row):
        with pytest.raises(DataError, match="column names or data"):
            has_header(row.split(","), {}, None)

    def test_of_recbole_may_be_typed_without_their_types(self, tmp_path):
        text = "uid_raw:token\titem_id:token\tmark:float\n1\t2\t3.5\n"
        assert rows_of(read(tmp_path, text, user="uid_raw", rating="mark")) == [(1, 2, 3.5, None, 0)]

    @pytest.mark.parametrize("name", ["userId", "user_id", "User-ID", "USER ID", "user.id", "user_id:token"])
    def test_have_words(self, name):
        assert words(name) == ("user", "id")


class TestNone:
    TEXT = "user,item,rating,date\n1,2,,12/31/2020\n1,3,5,soon\n"

    def test_leaves_columns_out(self, tmp_path):
        data = read(tmp_path, self.TEXT, rating="none", timestamp="none")
        assert rows_of(data) == [(1, 2, 1, None, 0), (1, 3, 1, None, 1)]
        assert data.remarks == ("columns not used: rating, date",)

    def test_is_the_way_out_of_every_error(self, tmp_path):
        path = written(tmp_path / "a.csv", self.TEXT)
        assert refusal(path, timestamp="none").startswith("rating in row 1 is missing")
        assert refusal(path, timestamp="none").endswith("set rating = 'none'")
        assert refusal(path, rating="none").startswith(
            "timestamp (column date) in row 1 is neither a number nor a date"
        )

    def test_may_be_the_name_of_a_column(self, tmp_path):
        data = read(tmp_path, "user,item,none\n1,2,4\n", rating="none")
        assert data.matrix.data.tolist() == [4]

    def test_leaves_a_column_out_by_position_too(self, tmp_path):
        assert rows_of(read(tmp_path, "1,2,-1,90\n", rating="none")) == [(1, 2, 1, 90, 0)]
        assert rows_of(read(tmp_path, "none,2,3,x\n", header=False, timestamp="none")) == [("none", 2, 3, None, 0)]

    def test_cannot_leave_out_the_ids(self, tmp_path):
        path = written(tmp_path / "a.csv", self.TEXT)
        assert refusal(path, item="none").startswith("item = 'none': there is no such column")

    def test_works_in_every_format(self, tmp_path):
        frame = read_interactions(
            written(tmp_path / "a.jsonl", '{"user": 1, "item": 2, "date": "x"}'), timestamp="none"
        )
        assert rows_of(frame) == [(1, 2, 1, None, 0)]


class TestUnused:
    @pytest.mark.parametrize("name", ["event", "behavior_type", "eventType", "play_count", "playcount", "weight"])
    def test_columns_that_may_be_events_are_named(self, tmp_path, name):
        data = read(tmp_path, f"user,item,{name}\n1,2,3\n")
        assert data.remarks[0] == f"columns not used: {name}"
        assert data.remarks[1].endswith(f"ratings or kinds of events in {name}; give the rating column to use one")
        assert read(tmp_path, f"user,item,{name}\n1,2,3\n", rating="none").remarks == data.remarks[:1]

    @pytest.mark.parametrize("name", ["title", "event_id", "rating_time", "avg", "transaction_id", "interaction_id"])
    def test_other_columns_are_only_listed(self, tmp_path, name):
        assert read(tmp_path, f"user,item,{name}\n1,2,3\n").remarks == (f"columns not used: {name}",)

    def test_a_column_without_a_name_is_named_by_its_position(self, tmp_path):
        assert read(tmp_path, ",user,item, \n0,1,2,x\n").remarks == ("columns not used: position 0, position 3",)

    def test_a_table_of_known_columns_has_no_remarks(self, tmp_path):
        assert read(tmp_path, "user,item,rating,time\n1,2,3,4\n").remarks == ()

    def test_a_column_recognised_by_its_end_is_named(self, tmp_path):
        data = read(tmp_path, "user,hotel_id,star_rating\n1,2,3\n")
        assert data.remarks == (
            "the column hotel_id is read as the item",
            "the column star_rating is read as the rating",
        )

    def test_long_lists_are_short(self, tmp_path):
        names = [f"c{position}" for position in range(40)]
        data = read(tmp_path, ",".join([*PAIR, *names]) + "\n" + ",".join("1" * 42) + "\n")
        assert data.remarks[0].endswith("c9 and 30 more")

    def test_columns_without_names_have_positions(self, tmp_path):
        assert read(tmp_path, "1,2,3,4,x\n", user=0, item=1).remarks == (
            "columns not used: position 2, position 3, position 4",
        )
