"""Usual names of columns, by which the user, item, rating and timestamp of a table are recognised."""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

# Usual names in order of preference, without case, spaces and punctuation.
KNOWN = {
    "user": (
        "user", "userid", "uid", "userno", "useridx", "usermboid", "reviewer", "reviewerid", "customer", "customerid",
        "visitorid", "visitor", "member", "memberid", "client", "clientid", "account", "accountid", "profileid",
        "buyerid", "viewerid", "readerid", "listenerid", "playerid", "subscriberid", "learnerid", "studentid",
        "username",
    ),
    "item": (
        "item", "itemid", "iid", "itemno", "itemidx", "movie", "movieid", "mid", "film", "filmid", "product",
        "productid", "parentasin", "asin", "book", "bookid", "isbn", "song", "songid", "track", "trackid", "artist",
        "artistid", "artistmbid", "article", "articleid", "business", "businessid", "game", "gameid", "anime",
        "animeid", "video", "videoid", "newsid", "recipeid", "poiid", "venueid", "courseid", "stockcode", "sku",
        "items", "itemids",
    ),
    "rating": ("rating", "ratings", "score", "value", "stars", "overall"),
    "timestamp": (
        "timestamp", "time", "ts", "unixreviewtime", "unixtime", "timems", "datetime", "date", "eventtime",
        "eventdate", "reviewdate", "createdat",
    ),
}  # fmt: skip
# Usual names of the columns of top-N lists that order the items of a user.
PLACES = {
    "rank": ("rank", "ranking", "rk", "position", "pos", "place"),
    "score": (
        "score", "scores", "prediction", "predicted", "predictedrating", "predictedscore", "pred", "est", "relevance",
        "rating", "ratings", "weight", "value",
    ),
}  # fmt: skip
# Last words of names that are recognised if only one column has such a name, and words that rule a name out.
LAST = {
    "user": (),
    "item": ("id",),
    "rating": ("rating", "ratings", "score", "stars", "overall"),
    "timestamp": ("timestamp",),
}
OTHER = {
    "id": (
        "user", "session", "order", "transaction", "review", "rating", "event", "interaction", "row", "log", "request",
        "category", "genre", "brand", "device", "city", "country", "region", "author", "director", "parent", "tag",
        "store", "shop", "seller", "invoice", "basket", "cart", "group", "query",
    ),
    "rating": ("avg", "average", "mean", "median", "total", "sum", "predicted", "imdb", "critic", "critics", "global"),
}  # fmt: skip
# Words of names that may hold ratings or kinds of events.
EVENTS = {
    "rating", "ratings", "score", "stars", "event", "events", "eventtype", "behavior", "behaviour", "behaviortype",
    "action", "actions", "actiontype", "type", "count", "counts", "play", "plays", "playcount", "weight", "weights",
    "feedback", "preference", "clicks", "likes", "purchases", "quantity", "watchratio", "ratio", "listens", "hours",
    "label", "bookrating", "starrating", "userrating", "frequency", "duration",
}  # fmt: skip
# Last words of names that hold no ratings, whatever the other words say.
NO_EVENTS = {"id", "ids", "time", "date", "timestamp", "text", "title", "name", "at"}


@lru_cache(maxsize=1 << 16)
def words(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case: user and id of ``userId``, and of RecBole's ``user_id:token``."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", without_type(name))
    return tuple(re.findall(r"[^\W_]+", spaced.lower()))


def without_type(name: str) -> str:
    """Return a name without the type that RecBole's atomic files append."""
    return re.sub(r":(token|float)(_seq)?$", "", name.strip())


def recognised(names: Sequence[str], role: str, taken: Collection[int]) -> list[int]:
    """Return the positions of the columns whose name is the first usual name of this role that occurs."""
    plain = ["".join(words(name)) for name in names]
    for usual_name in {**KNOWN, **PLACES}[role]:
        positions = [position for position, name in enumerate(plain) if name == usual_name and position not in taken]
        if positions:
            return positions
    return []


def likely(names: Sequence[str], role: str, taken: Collection[int]) -> list[int]:
    """Return the positions of the other columns whose name ends in a word of this role, such as ``star_rating``."""
    ruled_out = OTHER["id" if role == "item" else "rating"]
    return [
        position
        for position, name in enumerate(map(words, names))
        if position not in taken and len(name) > 1 and name[-1] in LAST[role] and not set(name) & set(ruled_out)
    ]


def is_header(fields: Sequence[str]) -> bool:
    """Return True if a field is a usual name of a column, ends in the word id, or has a type of RecBole."""
    return (
        any(recognised(fields, role, ()) for role in KNOWN)
        or bool(likely(fields, "item", ()))
        or any(without_type(field) != field.strip() for field in fields)
    )


def may_be_events(name: str) -> bool:
    """Return True if a name says that the column may hold ratings or kinds of events."""
    parts = words(name)
    return bool(parts) and parts[-1] not in NO_EVENTS and bool(EVENTS & {*parts, "".join(parts)})
