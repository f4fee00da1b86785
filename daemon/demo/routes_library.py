"""The library part of the simulated server's interface."""

from __future__ import annotations

from aiohttp import web

from daemon.demo.answers import Page, done, failure, respond
from daemon.demo.markup import Container, Element, container, element
from daemon.demo.media import Kind, Node, Section
from daemon.demo.people import Person, token_of
from daemon.demo.render import Detail, Renderer, external_ids
from daemon.demo.scanning import Librarian
from daemon.demo.selection import Selection, meta
from daemon.demo.sessions import trackable

_FULL = Detail(streams=True, guids=True)


class LibraryRoutes:
    """Sections, items, their children, on deck and continue watching."""

    def __init__(self, librarian: Librarian, renderer: Renderer) -> None:
        self.librarian = librarian
        self.library = librarian.library
        self.people = librarian.people
        self.views = librarian.views
        self.renderer = renderer
        self.selection = Selection(self.library, self.views)

    def add_to(self, router: web.UrlDispatcher) -> None:
        section = r"/library/sections/{section:\d+}"
        item = r"/library/metadata/{key:[\w.-]+}"
        for path, handler in (
            ("/library", self.root),
            ("/library/sections", self.sections),
            ("/library/sections/", self.sections),
            (f"{section}/all", self.section_all),
            (f"{section}/collections", self.collections),
            (f"{section}/onDeck", self.on_deck),
            (f"{section}/recentlyAdded", self.recently_added),
            (f"{section}/refresh", self.refresh),
            ("/library/all", self.library_all),
            ("/library/onDeck", self.on_deck),
            ("/library/recentlyAdded", self.recently_added),
            ("/hubs/continueWatching/items", self.continue_watching),
            (r"/hubs/sections/{section:\d+}/continueWatching/items", self.continue_watching),
            (r"/library/metadata/{keys:[\w.,-]+}", self.metadata),
            (f"{item}/children", self.children),
            (f"{item}/allLeaves", self.all_leaves),
            (f"{item}/matches", self.matches),
            ("/system/agents", self.agents),
        ):
            router.add_get(path, handler)
        router.add_put(f"{section}/refresh", self.refresh)
        router.add_put(f"{section}/emptyTrash", self.empty_trash)
        router.add_put("/actions/removeFromContinueWatching", self.hide)

    async def root(self, request: web.Request) -> web.Response:
        names = ("sections", "recentlyAdded", "onDeck", "all")
        children = [element("Directory", key=name, title=name) for name in names]
        return respond(
            request,
            container(children, identifier="com.plexapp.plugins.library", title1="Plex Library"),
        )

    async def sections(self, request: web.Request) -> web.Response:
        children = [_section_element(section) for section in self.library.sections.values()]
        return respond(request, container(children, allowSync=False, title1="Plex Library"))

    async def section_all(self, request: web.Request) -> web.Response:
        section = self._section(request)
        nodes = self.selection.select(section, request.query, self._person(request).id)
        answer = self._list(request, nodes, librarySectionID=int(section.key), librarySectionTitle=section.title)
        if request.query.get("includeMeta") == "1":
            answer.children.insert(0, meta(section))
        return respond(request, answer)

    async def collections(self, request: web.Request) -> web.Response:
        answer = Page.of(request).cut([], lambda nothing: nothing)
        if request.query.get("includeMeta") == "1":
            answer.children.insert(0, element("Meta"))
        return respond(request, answer)

    async def library_all(self, request: web.Request) -> web.Response:
        user = self._person(request).id
        asked = request.query.get("type", "")
        sections = [
            section
            for section in self.library.sections.values()
            if not asked or (asked == "1") == (section.kind is Kind.MOVIE)
        ]
        nodes = [node for section in sections for node in self.selection.select(section, request.query, user)]
        return respond(request, self._list(request, nodes))

    async def recently_added(self, request: web.Request) -> web.Response:
        section = request.match_info.get("section", "")
        nodes = (node for node in self.library.items.values() if trackable(node))
        mine = (node for node in nodes if section in ("", node.section))
        latest = sorted(mine, key=lambda node: node.added_at, reverse=True)[:50]
        return respond(request, self._list(request, latest))

    async def on_deck(self, request: web.Request) -> web.Response:
        nodes = self._shown(request, self.views.on_deck(self._person(request).id, request.match_info.get("section")))
        return respond(request, self._list(request, nodes))

    async def continue_watching(self, request: web.Request) -> web.Response:
        nodes = self.views.continue_watching(self._person(request).id, request.match_info.get("section"))
        return respond(request, self._list(request, self._shown(request, nodes)))

    async def metadata(self, request: web.Request) -> web.Response:
        keys = request.match_info["keys"].split(",")
        nodes = [node for key in keys if (node := self.library.get(key)) is not None]
        if not nodes:
            return failure(404)
        detail = Detail(
            streams=True,
            guids=True,
            markers=request.query.get("includeMarkers") == "1",
            check_files=request.query.get("checkFiles") == "1",
        )
        person = self._person(request)
        entries = [self.renderer.entry(node, person.id, detail) for node in nodes]
        if request.query.get("includeOnDeck") == "1":
            for node, entry in zip(nodes, entries, strict=True):
                entry.more += self._on_deck_of(node, person)
        section = self.library.sections.get(nodes[0].section)
        title = section.title if section else None
        answer = container(entries, librarySectionID=int(nodes[0].section), librarySectionTitle=title)
        return respond(request, answer)

    async def children(self, request: web.Request) -> web.Response:
        node = self._item(request)
        nodes = [self.library[key] for key in node.children]
        answer = self._list(request, nodes, key=node.key, parentTitle=node.title)
        if node.kind is Kind.SHOW and request.query.get("excludeAllLeaves") != "1" and Page.of(request).start == 0:
            answer.children.insert(0, element("Directory", key=f"{node.path}/allLeaves", title="All episodes"))
            answer.fields["size"] = len(answer.children)
        return respond(request, answer)

    async def all_leaves(self, request: web.Request) -> web.Response:
        node = self._item(request)
        nodes = list(self.library.leaves(node.key))
        return respond(request, self._list(request, nodes, key=node.key, parentTitle=node.title))

    async def matches(self, request: web.Request) -> web.Response:
        node = self._item(request)
        asked = request.query.get("title", "").replace("-", "://", 1)
        same = (one for one in self.library.of_kind(node.section, node.kind) if asked in external_ids(one))
        found = next(same, node)
        match = element("SearchResult", guid=found.guid, name=found.title, year=found.year, score=100)
        return respond(request, container([match]))

    async def agents(self, request: web.Request) -> web.Response:
        kinds = ((1, "movie"), (2, "series"))
        made = [
            element(
                "Agent",
                element("MediaType", element("Language", code="en"), mediaType=number, name=name),
                name=f"Plex {name.title()}",
                identifier=f"tv.plex.agents.{name}",
                hasPrefs=False,
                hasAttribution=False,
                primary=True,
            )
            for number, name in kinds
        ]
        asked = request.query.get("mediaType", "")
        shown = [agent for (number, _), agent in zip(kinds, made, strict=True) if asked in ("", str(number))]
        return respond(request, container(shown))

    async def refresh(self, request: web.Request) -> web.Response:
        if not self._person(request).is_owner:
            return failure(403)
        await self.librarian.scan(self._section(request).key)
        return done()

    async def empty_trash(self, request: web.Request) -> web.Response:
        if not self._person(request).is_owner:
            return failure(403)
        await self.librarian.empty_trash(self._section(request).key)
        return done()

    async def hide(self, request: web.Request) -> web.Response:
        self.views.hide(self._person(request).id, request.query.get("ratingKey", ""))
        return done()

    def _on_deck_of(self, node: Node, person: Person) -> list[Element]:
        for candidate in self.views.on_deck(person.id, node.section):
            show = self.library.show_of(candidate)
            if show is not None and show.key == node.key:
                item = self.renderer.item(candidate, _FULL)
                item.fields |= self.views.fields(person.id, candidate)
                return [element("OnDeck", item)]
        return []

    def _shown(self, request: web.Request, nodes: list[Node]) -> list[Node]:
        """Return what is listed: across sections nothing of those that are hidden."""
        if "section" in request.match_info:
            return nodes
        return [node for node in nodes if not self.library.sections[node.section].hidden]

    def _list(self, request: web.Request, nodes: list[Node], **fields: str | int) -> Container:
        user = self._person(request).id
        detail = Detail(guids=request.query.get("includeGuids") == "1")
        return Page.of(request).cut(nodes, lambda node: self.renderer.entry(node, user, detail), **fields)

    def _section(self, request: web.Request) -> Section:
        section = self.library.sections.get(request.match_info["section"])
        if section is None:
            raise web.HTTPNotFound
        return section

    def _item(self, request: web.Request) -> Node:
        node = self.library.get(request.match_info["key"])
        if node is None:
            raise web.HTTPNotFound
        return node

    def _person(self, request: web.Request) -> Person:
        return self.people.by_token(token_of(request)) or self.people.owner


def _section_element(section: Section) -> Element:
    agent = "movie" if section.kind is Kind.MOVIE else "series"
    return element(
        "Directory",
        element("Location", id=int(section.key), path=section.root),
        key=section.key,
        type=str(section.kind),
        title=section.title,
        agent=f"tv.plex.agents.{agent}",
        scanner="Plex Movie" if section.kind is Kind.MOVIE else "Plex TV Series",
        language="en-US",
        uuid=f"5ec7104e-0000-4000-8000-{int(section.key):012}",
        refreshing=False,
        scannedAt=section.scanned_at,
        contentChangedAt=section.changes,
        hidden=int(section.hidden),
    )
