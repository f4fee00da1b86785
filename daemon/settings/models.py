"""The settings tree. Names are those of the TOML tables, values are checked one by one.

Durations are seconds, 0.0 for "off". Several values are compared in `daemon.settings.checks`. Secrets print as stars.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from daemon.model import User
from daemon.settings.fields import (
    Amount,
    AmountOrShare,
    Anchor,
    Cron,
    Duration,
    Feeds,
    Listen,
    LocalPath,
    Name,
    Names,
    Networks,
    OptionalPath,
    OptionalPlexPath,
    PasswordHash,
    PlexPath,
    PositiveDuration,
    Secrets,
    Span,
    Token,
    Url,
    is_loopback,
    split_listen,
)
from daemon.units import Size, parse_duration

Count = Annotated[int, Field(ge=0, le=1000)]
Workers = Annotated[int, Field(ge=1, le=32)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class PlexSettings(_Table):
    """The Plex server. `token` is the one found in any of the three places, empty if there is none."""

    url: Url = "http://127.0.0.1:32400"
    token: Token = SecretStr("")
    token_file: OptionalPath = ""
    libraries: Names = ()
    verify_tls: bool = True
    tv_url: Url = "https://plex.tv"
    clients_url: Url = "https://clients.plex.tv"
    discover_url: Url = "https://discover.provider.plex.tv"
    metadata_url: Url = "https://metadata.provider.plex.tv"
    community_url: Url = "https://community.plex.tv"


class MappingSettings(_Table):
    """One library root as Plex sees it, on the array and on the cache; paths in their plain form."""

    name: Name
    plex: PlexPath
    array: LocalPath
    cache: LocalPath
    serve: Literal["union", "symlink"] = "union"
    original: Literal["keep", "backup", "remove"] = "keep"
    union: OptionalPath = ""
    link: Literal["absolute", "relative"] = "absolute"
    link_target: OptionalPlexPath = ""
    enabled: bool = True
    anchor: Anchor = ""

    @property
    def placement(self) -> str:
        """Return how copies are served and what becomes of originals, such as ``union+keep``."""
        return f"{self.serve}+{self.original}"


class PlaybackSettings(_Table):
    """What a play puts on the cache."""

    cache_current: bool = True
    next_episodes: Count = 5
    next_min_runtime: Duration = 0.0
    min_play: Duration = parse_duration("30s")
    stale_session: PositiveDuration = parse_duration("5m")


class OnDeckSettings(_Table):
    """What people have begun."""

    enabled: bool = True
    episodes: Count = 5
    max_age: Duration = parse_duration("183d")


class WatchlistSettings(_Table):
    """What people want to watch. `rss` holds the feeds' addresses, which are secrets."""

    enabled: bool = True
    episodes: Count = 3
    max_age: Duration = 0.0
    rss: Feeds = ()


class RecentSettings(_Table):
    """What was added lately."""

    enabled: bool = False
    max_age: Duration = parse_duration("7d")
    watched_shows_only: bool = True


class TrendingSettings(_Table):
    """What Trakt says many people watch."""

    enabled: bool = False
    url: Url = "https://api.trakt.tv"
    client_id: Token = SecretStr("")
    movies: Count = 10
    refresh: Duration = parse_duration("24h")


class UserSettings(_Table):
    """One user's own choices; None means as for everybody.

    `token` is the user's own plex.tv token, for whom the owner's account gives none; `pin` opens a home user who has
    one.
    """

    on_deck: bool = True
    watchlist: bool = True
    on_deck_max_age: Duration | None = None
    watchlist_max_age: Duration | None = None
    token: Token = SecretStr("")
    pin: SecretStr = SecretStr("")


class UsersSettings(_Table):
    """Who counts. Each table below it is one user's own."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, UserSettings] = Field(init=False)

    exclude: Names = ()
    inactive_after: Duration = 0.0

    def excludes(self, user: User) -> bool:
        """Say whether this user, by id or title (in any case), counts for nothing."""
        excluded = {name.casefold() for name in self.exclude}
        return user.id in excluded or user.title.casefold() in excluded

    def of(self, user: User) -> UserSettings:
        """Return a user's own settings, found by id or title (in any case)."""
        names = {user.id, user.title.casefold()}
        found = (own for name, own in self.__pydantic_extra__.items() if name.casefold() in names)
        return next(found, UserSettings())

    @property
    def people(self) -> dict[str, UserSettings]:
        """Return each user's own settings by title or id."""
        return dict(self.__pydantic_extra__)


class RetentionSettings(_Table):
    """How long a file stays when its demand has ended."""

    after_watched: Duration = parse_duration("12h")
    after_stopped: Duration = parse_duration("7d")
    min_stay: Duration = parse_duration("12h")
    until_needed: bool = False


class SpaceSettings(_Table):
    """How full the cache may become. Each is off when falsy."""

    limit: AmountOrShare = Size.parse("90%")
    min_free: AmountOrShare = Size.parse("20GB")
    quota: AmountOrShare = Size.parse("0")
    evict_to: AmountOrShare = Size.parse("85%")


class TransferSettings(_Table):
    """How files are copied. `rate_limit` is bytes per second."""

    to_cache: Workers = 2
    to_array: Workers = 1
    verify: Literal["size", "checksum"] = "size"
    rate_limit: Amount = Size.parse("0")
    yield_to_playback: bool = True
    sidecars: Literal["none", "subtitles", "all"] = "subtitles"
    hardlinks: Literal["skip", "copy"] = "skip"


class ScheduleSettings(_Table):
    """When the sources are read again, and when disks may be woken for work. `cron` replaces `refresh`."""

    refresh: Duration = parse_duration("1h")
    cron: Cron = ""
    array_window: Span = None
    spin_down: Duration = parse_duration("30m")


class WebSettings(_Table):
    """The HTTP server."""

    listen: Listen = "127.0.0.1:5757"
    password_hash: PasswordHash = SecretStr("")
    api_key: Token = SecretStr("")
    webhook_secret: Token = SecretStr("")
    trusted_proxies: Networks = ()

    @property
    def host(self) -> str:
        """Return the host of `listen`, without the brackets of IPv6."""
        return split_listen(self.listen)[0]

    @property
    def port(self) -> int:
        """Return the port of `listen`; 0 asks the system for a free one."""
        return split_listen(self.listen)[1]

    @property
    def loopback(self) -> bool:
        """Say whether only this machine can reach it."""
        return is_loopback(self.host)


class NotifySettings(_Table):
    """Who is told. `urls` are Apprise addresses, which hold secrets."""

    urls: Secrets = ()
    levels: Annotated[tuple[Literal["summary", "activity", "warning", "error"], ...], Field(strict=False)] = (
        "summary",
        "error",
    )


class UnraidSettings(_Table):
    """What only Unraid has."""

    mover_exclude_file: OptionalPath = ""
    notify: bool = False


class ArrInstance(_Table):
    """One Sonarr or Radarr."""

    name: Name
    kind: Literal["sonarr", "radarr"]
    url: Url
    api_key: Token


class ArrSettings(_Table):
    """Sonarr and Radarr."""

    instance: Annotated[tuple[ArrInstance, ...], Field(strict=False)] = ()


class LogSettings(_Table):
    """Where events are written."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    file: OptionalPath = ""


class StateSettings(_Table):
    """Where ondeckd remembers things; see `daemon.config.state_directory` for an empty `directory`."""

    directory: OptionalPath = ""
    shutdown_grace: Duration = parse_duration("20s")


class Settings(_Table):
    """The whole configuration. Frozen: a reload makes a new one."""

    plex: PlexSettings = PlexSettings()
    mapping: Annotated[tuple[MappingSettings, ...], Field(strict=False)] = ()
    playback: PlaybackSettings = PlaybackSettings()
    on_deck: OnDeckSettings = OnDeckSettings()
    watchlist: WatchlistSettings = WatchlistSettings()
    recent: RecentSettings = RecentSettings()
    trending: TrendingSettings = TrendingSettings()
    users: UsersSettings = UsersSettings()
    retention: RetentionSettings = RetentionSettings()
    space: SpaceSettings = SpaceSettings()
    transfer: TransferSettings = TransferSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    web: WebSettings = WebSettings()
    notify: NotifySettings = NotifySettings()
    unraid: UnraidSettings = UnraidSettings()
    arr: ArrSettings = ArrSettings()
    log: LogSettings = LogSettings()
    state: StateSettings = StateSettings()
