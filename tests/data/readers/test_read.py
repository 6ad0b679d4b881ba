"""Tests of reading files: all formats and forms give the same interactions."""

import gzip
import io
import json

import numpy as np
import pandas as pd
import pytest

from recsys_ae.data.readers import text_blocks
from recsys_ae.data.readers.read import read_interactions, read_table
from recsys_ae.errors import DataError
from tests.data.files import EXPECTED, TABLE, lines, text_of, written, zipped
from tests.data.test_interactions import check_valid, rows_of


class TestText:
    @pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::", " ", "   "])
    @pytest.mark.parametrize("header", [True, False])
    def test_finds_out_the_separator_and_the_header(self, tmp_path, separator, header):
        path = written(tmp_path / "ratings.txt", lines(separator, header=header))
        assert rows_of(read_interactions(path)) == EXPECTED

    @pytest.mark.parametrize("separator", ["#", "<->", "§", "\x01", "@@", ".*"])
    @pytest.mark.parametrize("header", [True, False])
    def test_takes_any_separator(self, tmp_path, separator, header):
        path = written(tmp_path / "ratings.dat", lines(separator, header=header))
        assert rows_of(read_interactions(path, separator=separator)) == EXPECTED

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("last", [True, False])
    @pytest.mark.parametrize("bom", [True, False])
    @pytest.mark.parametrize("separator", [",", "::", " "])
    def test_reads_any_line_end_a_missing_last_one_and_a_byte_order_mark(self, tmp_path, end, last, bom, separator):
        text = lines(separator, end=end)
        text = text if last else text.removesuffix(end)
        path = written(tmp_path / "ratings.csv", ("\ufeff" if bom else "") + text)
        assert rows_of(read_interactions(path)) == EXPECTED

    def test_skips_empty_lines(self, tmp_path):
        text = "\n\n" + lines().replace("\n", "\n\n")
        assert rows_of(read_interactions(written(tmp_path / "a.csv", text))) == EXPECTED

    def test_spaces_may_align_the_columns(self, tmp_path):
        path = written(tmp_path / "a.txt", "  user  item\n  1     10  \n 12      9\n")
        assert rows_of(read_interactions(path)) == [(1, 10, 1, None, 0), (12, 9, 1, None, 1)]

    @pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig", "shift_jis"])
    def test_reads_other_encodings(self, tmp_path, encoding):
        name = "カフカ" if encoding == "shift_jis" else "Amélie"
        path = written(tmp_path / "a.csv", f"user,item\n{name},1\nBob,2\n".encode(encoding))
        assert read_interactions(path, encoding=encoding).users.tolist() == sorted(["Bob", name])

    def test_does_not_mind_the_encoding_of_a_column_that_nobody_reads(self, tmp_path):
        path = written(tmp_path / "a.csv", b"user,item,title\n1,2,Am\xe9lie\n")
        assert read_interactions(path).nnz == 1

    def test_reads_columns_by_name_and_by_position(self, tmp_path):
        path = written(tmp_path / "a.csv", "when,stars,what,who\n7,2.5,x,a\n6,3,y,b\n")
        named = read_interactions(path, user="who", item="what", rating="stars", timestamp="when")
        placed = read_interactions(path, user=3, item=2, rating=1, timestamp=0)
        assert rows_of(named) == rows_of(placed) == [("a", "x", 2.5, 7, 0), ("b", "y", 3, 6, 1)]

    @pytest.mark.parametrize(
        ("first", "n_columns"),
        [
            ("user,item", 2),
            ("User ID,Movie-ID,Score", 3),
            ("reviewer_id,asin,overall,unixReviewTime", 4),
            ("timestamp,uid,iid,value", 4),
            ("comment,user_id,product_id,stars", 3),
            ("date,time,uid,song", 3),
        ],
    )
    def test_recognises_the_usual_names(self, tmp_path, first, n_columns):
        path = written(
            tmp_path / "a.csv", f"{first}\n1,2,3,4\n".replace("1,2,3,4", "1,2,3,4"[: 2 * first.count(",") + 1])
        )
        data = read_interactions(path)
        assert 2 + (data.timestamps is not None) + (data.matrix.data[0] != 1) == n_columns

    def test_takes_the_first_four_columns_where_nothing_has_a_name(self, tmp_path):
        path = written(tmp_path / "a.csv", "1,2,5,4\n")
        assert rows_of(read_interactions(path)) == [(1, 2, 5, 4, 0)]
        path = written(tmp_path / "a.csv", "1,2,5,4,x\n")
        assert rows_of(read_interactions(path, user=2, item=0)) == [(5, 1, 1, None, 0)]

    def test_the_header_may_be_told(self, tmp_path):
        path = written(tmp_path / "a.csv", "time,moon\nuser,sun\n")
        assert read_interactions(path, header=False).users.tolist() == ["time", "user"]
        path = written(tmp_path / "b.csv", "1,2\n3,4\n")
        assert rows_of(read_interactions(path, header=True, user=0, item=1)) == [(3, 4, 1, None, 0)]

    def test_fields_may_be_quoted(self, tmp_path):
        path = written(tmp_path / "a.csv", '"user","item, or so"\n"a,b","c\n""d"""\n5" disk,x"y\n')
        data = read_interactions(path, user="user", item=1)
        assert rows_of(data) == [('5" disk', 'x"y', 1, None, 1), ("a,b", 'c\n"d"', 1, None, 0)]

    def test_quotes_are_plain_characters_between_longer_separators(self, tmp_path):
        path = written(tmp_path / "a.dat", 'user::item\n"a::b"\n"c"::d,e\n')
        assert rows_of(read_interactions(path)) == [('"a', 'b"', 1, None, 0), ('"c"', "d,e", 1, None, 1)]

    @pytest.mark.parametrize("block", [37, 41, 64, 1000])
    @pytest.mark.parametrize("separator", ["::", "  ", "é"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_anything_may_lie_across_two_blocks(self, tmp_path, monkeypatch, block, separator, encoding):
        monkeypatch.setattr(text_blocks, "BLOCK", block)
        users = ["🎬" * (row % 7) + str(row) for row in range(500)]
        text = "".join(f"{user}{separator}{row}\r\n" for row, user in enumerate(users))
        path = written(tmp_path / "a.dat", f"user{separator}item\r\n{text}".encode(encoding))
        data = read_interactions(path, separator=separator, encoding=encoding)
        assert dict(zip(data.items[data.matrix.indices], data.users, strict=True)) == dict(enumerate(users))

    def test_dates_may_be_written_out(self, tmp_path):
        path = written(tmp_path / "a.csv", "user,item,date\n1,1,2001-09-09T01:46:40Z\n2,1,1970-01-02\n")
        assert [row[3] for row in rows_of(read_interactions(path))] == [1_000_000_000, 86_400]

    def test_numbers_may_be_written_in_any_way(self, tmp_path):
        path = written(tmp_path / "a.csv", "user,item,rating,time\n1,1, 4,1e3\n2,1,4.50,2000.0\n3,1,5e-1,3\n")
        data = read_interactions(path)
        assert data.matrix.data.tolist() == [4, 4.5, 0.5]
        assert data.timestamps is not None
        assert data.timestamps.tolist() == [1000, 2000, 3]


class TestIds:
    @pytest.mark.parametrize(
        "ids",
        [
            ["1", "-5", "0", "9223372036854775807", "-9223372036854775808"],
            ["1", "007"],
            ["1", "-0"],
            ["1", "1.5"],
            ["1", "1.0.0"],
            ["1", "9223372036854775808"],
            ["1", "٣"],
            ["NAN1", "nullify", "nano", "Nonette", "-"],
            ["2001-01-01", "true", "1e5"],
            ["🎬", "émile", "'", '"', ",", ";", "a\nb", "a\r\nb", "\\", "<b>", "%s", "{0}"],
            ["x" * 10_000, "x" * 10_000 + "y", "🎬" * 10_000],
        ],
    )
    def test_are_kept_as_given(self, tmp_path, ids):
        path = written(tmp_path / "a.csv", text_of([("user", "item"), *((name, 1) for name in ids)]))
        users = read_interactions(path).users
        integers = ids[0:2] == ["1", "-5"]
        assert users.dtype == np.int64 if integers else users.dtype != np.int64
        assert sorted(map(str, users)) == sorted(ids)

    def test_of_each_column_have_their_own_type(self, tmp_path):
        data = read_interactions(written(tmp_path / "a.csv", "user,item\n1,01\n2,02\n"))
        assert data.users.tolist() == [1, 2]
        assert data.items.tolist() == ["01", "02"]

    def test_of_json_lines_keep_text_and_numbers_apart(self, tmp_path):
        rows = [{"user": 1, "item": "2001-01-01"}, {"user": "1", "item": "a"}]
        path = written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
        assert rows_of(read_interactions(path)) == [(1, "2001-01-01", 1, None, 0), ("1", "a", 1, None, 1)]

    def test_of_parquet_stay_of_their_type(self, tmp_path):
        pd.DataFrame({"user": ["1", "2"], "item": [1.5, 2.0]}).to_parquet(tmp_path / "a.parquet")
        data = read_interactions(tmp_path / "a.parquet")
        assert data.users.tolist() == ["1", "2"]
        assert data.items.tolist() == [1.5, 2.0]


class TestOtherFormats:
    @pytest.mark.parametrize("name", ["a.parquet", "a.pq", "a.data"])
    def test_reads_parquet(self, tmp_path, name):
        TABLE.to_parquet(tmp_path / name)
        assert rows_of(read_interactions(tmp_path / name)) == EXPECTED

    def test_reads_parquet_columns_of_many_types(self, tmp_path):
        import pyarrow as pa
        from pyarrow import parquet

        columns = {
            "user": pa.array(["b", "a"]).dictionary_encode(),
            "item": pa.array(["x", "y"], pa.large_string()),
            "rating": pa.array([4.5, 5]).cast(pa.decimal128(5, 2)),
            "date": pa.array([0, 86_400], pa.timestamp("s")).cast(pa.date32()),
        }
        parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
        assert rows_of(read_interactions(tmp_path / "a.parquet")) == [("a", "y", 5, 86_400, 1), ("b", "x", 4.5, 0, 0)]

    @pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json", "a.txt"])
    def test_reads_json_lines(self, tmp_path, name):
        path = written(tmp_path / name, "\ufeff" * (name == "a.json") + TABLE.to_json(orient="records", lines=True))
        assert rows_of(read_interactions(path)) == EXPECTED

    def test_reads_columns_by_position(self, tmp_path):
        TABLE.to_parquet(tmp_path / "a.parquet")
        TABLE.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
        for name in ("a.parquet", "a.jsonl"):
            data = read_interactions(tmp_path / name, user=1, item=0, rating=2)
            assert sorted(data.users) == [10, 20]

    @pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
    def test_reads_each_format_compressed_and_archived(self, tmp_path, form):
        buffer = io.BytesIO()
        if form == "csv":
            TABLE.to_csv(buffer, index=False)
        elif form == "parquet":
            TABLE.to_parquet(buffer)
        else:
            TABLE.to_json(buffer, orient="records", lines=True)
        content = buffer.getvalue()
        name = f"ratings.{form}"
        paths = [
            written(tmp_path / f"{name}.gz", gzip.compress(content)),
            written(tmp_path / name, gzip.compress(content)),
            zipped(tmp_path / "one.zip", **{f"ratings_{form}": content}),
            zipped(tmp_path / "no_ending", **{f"ratings_{form}": content, "README_txt": "read me"}),
            zipped(tmp_path / "packed.zip", **{f"ratings_{form}_gz": gzip.compress(content)}),
        ]
        many = zipped(
            tmp_path / "many.zip", **{f"set__ratings_{form}": content, "set__movies_csv": "a,b", "b_csv": "x"}
        )
        paths += [many / "set" / name, many / name]
        packed = zipped(tmp_path / "more.zip", **{f"set__ratings_{form}_gz": gzip.compress(content), "b_csv": "x"})
        paths += [packed / "set" / f"{name}.gz", packed / "set" / name]
        for path in paths:
            assert rows_of(read_interactions(path)) == EXPECTED, path
            assert rows_of(read_interactions(str(path))) == EXPECTED, path


class TestReadTable:
    def test_reads_all_columns_under_their_names(self, tmp_path):
        path = written(tmp_path / "a.csv", "movieId,title,imdb\n1,Amélie,007\n2,,008\n")
        table = read_table(path)
        assert table.columns.tolist() == ["movieId", "title", "imdb"]
        assert table["movieId"].tolist() == [1, 2]
        assert table["title"].isna().tolist() == [False, True]
        assert table["imdb"].tolist() == ["007", "008"]

    def test_reads_the_columns_asked_for_in_their_order(self, tmp_path):
        path = written(tmp_path / "a.dat", "1::Amélie::Comedy\n2::Vertigo::Mystery\n".encode("latin-1"))
        table = read_table(path, columns=[2, 0], header=False, encoding="latin-1")
        assert table.columns.tolist() == [2, 0]
        assert table.to_numpy().tolist() == [["Comedy", 1], ["Mystery", 2]]

    def test_integers_may_be_missing(self, tmp_path):
        table = read_table(written(tmp_path / "a.csv", "item,other\n1,5\n2,\n"))
        assert table["other"].dtype == "Int64"
        assert table["other"].tolist() == [5, pd.NA]

    def test_reads_a_single_column(self, tmp_path):
        assert read_table(written(tmp_path / "a.txt", "item\na\nb c\n"))["item"].tolist() == ["a", "b c"]

    def test_reads_the_other_formats(self, tmp_path):
        TABLE.to_parquet(tmp_path / "a.parquet")
        TABLE.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
        for name in ("a.parquet", "a.jsonl"):
            assert read_table(tmp_path / name).to_numpy().tolist() == TABLE.to_numpy().tolist()

    def test_says_what_is_missing(self, tmp_path):
        path = written(tmp_path / "a.csv", "movieId,title\n1,x\n")
        with pytest.raises(
            DataError, match="columns = 'genres': there is no such column; the columns are: movieId, title"
        ):
            read_table(path, columns=["movieId", "genres"])


class TestPublishedData:
    def test_reads_movielens_1m(self, data_dir):
        data = read_interactions(data_dir / "ml-1m.zip/ml-1m/ratings.dat")
        check_valid(data)
        assert data.counts == (1_000_209, 6_040, 3_706)
        histogram = np.bincount(data.matrix.data.astype(int)).tolist()
        assert histogram == [0, 56_174, 107_557, 261_197, 348_971, 226_310]
        first = int(np.flatnonzero(data.order == 0)[0])
        assert (data.users[data.rows[first]], data.items[data.matrix.indices[first]]) == (1, 1193)

    def test_reads_movielens_latest_small_with_its_crlf(self, data_dir):
        data = read_interactions(data_dir / "ml-latest-small.zip/ml-latest-small/ratings.csv")
        assert data.counts == (100_836, 610, 9_724)
        assert data.timestamps is not None
        assert data.timestamps.min() > 8e8

    def test_reads_movielens_100k(self, data_dir):
        data = read_interactions(data_dir / "ml-100k.zip/u.data")
        assert data.counts == (100_000, 943, 1_682)

    def test_reads_latin_1_titles(self, data_dir):
        movies = read_table(data_dir / "ml-1m.zip/movies.dat", header=False, encoding="latin-1")
        assert movies.shape == (3883, 3)
        assert "Misérables, Les (1995)" in set(movies[1])
