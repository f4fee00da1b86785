"""plex.tv's part of watchlists, simulated: discover and metadata providers, the community's API, feeds.

Shapes after recorded answers: a list without ids of other services, ids and moments one by one, an entry of a feed
without Plex's own id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import blake2b, sha256
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

from daemon.demo.answers import failure
from daemon.demo.library import Library, make_guid
from daemon.demo.markup import to_json
from daemon.demo.media import Kind
from daemon.demo.people import People, Person, token_of
from daemon.demo.render import external_ids

_HEX = r"{id:[0-9a-f]{24}}"
_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Wish:
    """An entry of a watchlist: `id` is plex.tv's, `guids` are those of other services."""

    id: str
    kind: Kind
    title: str
    year: int
    guids: tuple[str, ...]
    at: float


class Watchlists:
    """Everybody's list, the latest wish first. `private` holds the ids of those who do not show theirs to friends.

    `page_limit` bounds a page whatever is asked for; `window` an RSS feed. `after_page` are called one by one, each
    once a page has been answered: a list that changes meanwhile. `silent`: nobody is told when a wish was made.
    """

    def __init__(self, people: People, library: Library) -> None:
        self.people = people
        self.library = library
        self.lists: dict[str, list[Wish]] = {}
        self.private: set[str] = set()
        self.feeds: dict[str, tuple[str, ...]] = {}
        self.page_limit = 300
        self.window = 50
        self.silent = False
        self.after_page: list[Callable[[], object]] = []
        self.sent: list[int] = []
        """The bytes of each list and feed that was answered; 0 where the asker had it already."""

    def of(self, who: str | Person) -> list[Wish]:
        """Return a person's list."""
        return self.lists.setdefault(self.people[who].id, [])

    def add(self, who: str | Person, key: str, at: float = 1_700_000_000.0) -> Wish:
        """Put a movie or show of the library on a person's list; it is what its ids say, whatever its guid."""
        node = self.library[key]
        identifier = node.guid.rpartition("/")[2]
        if not node.guid.startswith("plex://"):
            identifier = blake2b(node.guid.encode(), digest_size=12).hexdigest()
        return self.put(who, Wish(identifier, node.kind, node.title, node.year, tuple(external_ids(node)), at))

    def add_other(self, who: str | Person, title: str, kind: Kind = Kind.MOVIE, at: float = 1_700_000_000.0) -> Wish:
        """Put something on a person's list that the library need not have."""
        identifier = make_guid(kind, "elsewhere", title).rpartition("/")[2]
        number = int(identifier[:6], 16)
        return self.put(who, Wish(identifier, kind, title, 2020, (f"imdb://tt9{number:08}", f"tmdb://9{number}"), at))

    def put(self, who: str | Person, wish: Wish) -> Wish:
        """Put a wish where its moment says."""
        wishes = self.of(who)
        wishes.append(wish)
        wishes.sort(key=lambda one: one.at, reverse=True)
        return wish

    def remove(self, who: str | Person, wish: Wish) -> None:
        """Take a wish off a person's list."""
        self.of(who).remove(wish)

    def feed(self, *who: str | Person) -> str:
        """Return the path of the feed of these people's lists."""
        ids = tuple(self.people[one].id for one in who)
        name = blake2b(repr(ids).encode(), digest_size=16).hexdigest()
        self.feeds[name] = ids
        return f"/rss/{name}"

    def known(self, identifier: str) -> Wish | None:
        """Return a wish of anybody's by plex.tv's id."""
        return next((one for wishes in self.lists.values() for one in wishes if one.id == identifier), None)


class DiscoverRoutes:
    """The pages themselves. Account tokens open them; a feed's address alone opens that."""

    def __init__(self, watchlists: Watchlists) -> None:
        self.watchlists = watchlists
        self.people = watchlists.people

    def add_to(self, router: web.UrlDispatcher) -> None:
        router.add_get("/library/sections/watchlist/all", self.watchlist)
        router.add_get(f"/library/metadata/{_HEX}", self.item)
        router.add_get(f"/library/metadata/{_HEX}/userState", self.user_state)
        router.add_post("/api", self.community)
        router.add_get("/rss/{name}", self.feed)

    async def watchlist(self, request: web.Request) -> web.Response:
        wishes = self.watchlists.of(self._person(request))
        start = int(request.query.get("X-Plex-Container-Start", "0"))
        size = min(int(request.query.get("X-Plex-Container-Size", "20")), self.watchlists.page_limit)
        shown = wishes[start : start + size]
        told: dict[str, Any] = {"librarySectionID": "watchlist", "librarySectionTitle": "Watchlist", "offset": start}
        told |= {"totalSize": len(wishes), "identifier": "tv.plex.provider.discover", "size": len(shown)}
        if shown:
            told["Metadata"] = [_entry(one) for one in shown]
        answer = self._tagged(request, to_json({"MediaContainer": told}), "application/json")
        if self.watchlists.after_page:
            self.watchlists.after_page.pop(0)()
        return answer

    async def item(self, request: web.Request) -> web.Response:
        wish = self.watchlists.known(request.match_info["id"])
        if wish is None:
            return failure(404)
        entry = {**_entry(wish), "Guid": [{"id": guid} for guid in wish.guids]}
        return web.json_response({"MediaContainer": {"offset": 0, "totalSize": 1, "size": 1, "Metadata": [entry]}})

    async def user_state(self, request: web.Request) -> web.Response:
        wishes = self.watchlists.of(self._person(request))
        state: dict[str, Any] = {"ratingKey": request.match_info["id"], "type": "movie"}
        found = next((one for one in wishes if one.id == state["ratingKey"]), None)
        if found is not None and not self.watchlists.silent:
            state["watchlistedAt"] = int(found.at)
        return web.json_response({"MediaContainer": {"size": 1, "UserState": state}})

    async def community(self, request: web.Request) -> web.Response:
        body = await request.json()
        query, variables = body.get("query", ""), body.get("variables") or {}
        if "userV2" in query:
            return self._friends_list(self._person(request), variables)
        if "allFriendsV2" in query:
            friends = [{"user": {"id": one.uuid, "username": one.title}} for one in self.people if not one.is_owner]
            return web.json_response({"data": {"allFriendsV2": friends}})
        return web.json_response({"errors": [{"message": "Cannot query this field"}]})

    def _friends_list(self, asker: Person, variables: dict[str, Any]) -> web.Response:
        person = next((one for one in self.people if one.uuid == variables["user"]["id"]), None)
        if person is None or not asker.is_owner:
            return web.json_response({"errors": [{"message": "User not found"}], "data": {"userV2": None}})
        if person.id in self.watchlists.private:
            return web.json_response({"data": {"userV2": {"watchlist": None}}})
        wishes = self.watchlists.of(person)
        start = int(variables.get("after") or 0)
        end = start + min(int(variables["first"]), self.watchlists.page_limit)
        more = end < len(wishes)
        nodes = [{"id": one.id, "title": one.title, "type": str(one.kind).upper()} for one in wishes[start:end]]
        info = {"hasNextPage": more, "endCursor": str(end) if more else None}
        return web.json_response({"data": {"userV2": {"watchlist": {"nodes": nodes, "pageInfo": info}}}})

    async def feed(self, request: web.Request) -> web.Response:
        ids = self.watchlists.feeds.get(request.match_info["name"])
        if ids is None:
            return failure(404)
        uuids = {person.id: person.uuid for person in self.people}
        wishes = [(uuids[person], one) for person in ids for one in self.watchlists.of(person)]
        shown = sorted(wishes, key=lambda wish: wish[1].at, reverse=True)[: self.watchlists.window]
        if request.query.get("format") != "json":
            return self._tagged(request, _xml_feed(shown), "application/rss+xml")
        items = [_feed_entry(author, one) for author, one in shown]
        return self._tagged(request, to_json({"title": "Watchlist", "links": {}, "items": items}), "application/json")

    def _tagged(self, request: web.Request, text: str, kind: str) -> web.Response:
        body = text.encode()
        tag = f'"{sha256(body).hexdigest()[:20]}"'
        known = request.headers.get("If-None-Match") == tag
        self.watchlists.sent.append(0 if known else len(body))
        if known:
            return web.Response(status=_NOT_MODIFIED, headers={"ETag": tag})
        return web.Response(body=body, content_type=kind, headers={"ETag": tag})

    def _person(self, request: web.Request) -> Person:
        person = self.people.by_account(token_of(request))
        assert person is not None, "requests without a valid token do not come this far"
        return person


def _entry(wish: Wish) -> dict[str, Any]:
    below = "/children" if wish.kind is Kind.SHOW else ""
    return {
        "guid": f"plex://{wish.kind}/{wish.id}",
        "key": f"/library/metadata/{wish.id}{below}",
        "ratingKey": wish.id,
        "type": str(wish.kind),
        "title": wish.title,
        "year": wish.year,
        "userState": False,
    }


def _date(wish: Wish) -> str:
    return format_datetime(datetime.fromtimestamp(wish.at, UTC), usegmt=True)


def _feed_entry(author: str, wish: Wish) -> dict[str, Any]:
    entry: dict[str, Any] = {"title": f"{wish.title} ({wish.year})", "pubDate": _date(wish)}
    entry |= {"link": f"https://watch.plex.tv/{wish.kind}/x", "description": "", "category": str(wish.kind)}
    return entry | ({"author": author} if author else {}) | ({"guids": list(wish.guids)} if wish.guids else {})


def _xml_feed(wishes: list[tuple[str, Wish]]) -> str:
    items = "".join(
        f"<item><title>{escape(f'{one.title} ({one.year})')}</title><pubDate>{_date(one)}</pubDate>"
        f"<link>https://watch.plex.tv/{one.kind}/x</link><description></description><category>{one.kind}</category>"
        '<media:credit role="actor">Somebody</media:credit>'
        + (f'<guid isPermaLink="false">{one.guids[0]}</guid>' if one.guids else "")
        + (f"<author>{author}</author>" if author else "")
        + "</item>"
        for author, one in wishes
    )
    head = '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/">'
    return f"{head}<channel><title>Watchlist</title>{items}</channel></rss>"
