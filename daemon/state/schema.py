"""The database's shape and its migrations. Each migration runs once, in order, in one transaction."""

from __future__ import annotations

import sqlite3

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE users (
        id TEXT PRIMARY KEY, title TEXT NOT NULL, last_played_at REAL
    ) WITHOUT ROWID;

    CREATE TABLE items (
        rating_key TEXT PRIMARY KEY, type TEXT NOT NULL, title TEXT NOT NULL, guid TEXT NOT NULL,
        library TEXT NOT NULL, duration REAL NOT NULL, show TEXT NOT NULL, show_title TEXT NOT NULL,
        season INTEGER NOT NULL, episode INTEGER NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE item_files (
        rating_key TEXT NOT NULL REFERENCES items ON DELETE CASCADE,
        plex_path TEXT NOT NULL, size INTEGER NOT NULL, part_id TEXT NOT NULL,
        PRIMARY KEY (rating_key, plex_path)
    ) WITHOUT ROWID;
    CREATE INDEX item_files_by_path ON item_files (plex_path);

    CREATE TABLE plays (
        id TEXT PRIMARY KEY, session_key TEXT NOT NULL, rating_key TEXT NOT NULL,
        user TEXT NOT NULL, user_title TEXT NOT NULL, client TEXT NOT NULL, player TEXT NOT NULL,
        state TEXT NOT NULL, started_at REAL NOT NULL, last_seen REAL NOT NULL,
        view_offset REAL NOT NULL, duration REAL NOT NULL,
        confirmed INTEGER NOT NULL, watched INTEGER NOT NULL, stopped_at REAL
    ) WITHOUT ROWID;
    CREATE INDEX plays_open ON plays (rating_key) WHERE stopped_at IS NULL;
    CREATE INDEX plays_by_stop ON plays (stopped_at);

    CREATE TABLE watched (
        rating_key TEXT NOT NULL, user TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (rating_key, user)
    ) WITHOUT ROWID;

    CREATE TABLE demands (
        rating_key TEXT NOT NULL, kind TEXT NOT NULL, user TEXT NOT NULL, play TEXT NOT NULL,
        since REAL NOT NULL, until REAL, position INTEGER NOT NULL, show TEXT NOT NULL,
        PRIMARY KEY (rating_key, kind, user, play)
    ) WITHOUT ROWID;
    CREATE INDEX demands_due ON demands (until) WHERE until IS NOT NULL;
    CREATE INDEX demands_by_show ON demands (user, show);
    CREATE INDEX demands_by_play ON demands (play);

    CREATE TABLE retentions (
        rating_key TEXT NOT NULL, user TEXT NOT NULL, until REAL NOT NULL, why TEXT NOT NULL,
        PRIMARY KEY (rating_key, user)
    ) WITHOUT ROWID;
    CREATE INDEX retentions_due ON retentions (until);

    CREATE TABLE entries (
        array_path PRIMARY KEY, plex_path NOT NULL, cache_path NOT NULL, mapping TEXT NOT NULL,
        size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, checksum TEXT NOT NULL,
        cached_at REAL NOT NULL, last_played_at REAL, parent NOT NULL, placement TEXT NOT NULL,
        waived INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX entries_by_plex_path ON entries (plex_path);
    CREATE INDEX entries_by_parent ON entries (parent);

    -- Copies that are about to get their final name.
    CREATE TABLE journal (
        array_path PRIMARY KEY, plex_path NOT NULL, cache_path NOT NULL, mapping TEXT NOT NULL,
        size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, checksum TEXT NOT NULL,
        cached_at REAL NOT NULL, last_played_at REAL, parent NOT NULL, placement TEXT NOT NULL,
        waived INTEGER NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE tasks (
        id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, state TEXT NOT NULL,
        array_path NOT NULL, plex_path NOT NULL, cache_path NOT NULL, mapping TEXT NOT NULL,
        size INTEGER NOT NULL, priority INTEGER NOT NULL, why TEXT NOT NULL, forced INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '', bytes_done INTEGER NOT NULL DEFAULT 0,
        bytes_total INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL, started_at REAL, finished_at REAL
    );
    CREATE UNIQUE INDEX tasks_one_queued ON tasks (array_path) WHERE state = 'queued';
    CREATE UNIQUE INDEX tasks_one_running ON tasks (array_path) WHERE state = 'running';
    CREATE INDEX tasks_claim ON tasks (kind, priority DESC, id) WHERE state = 'queued';
    CREATE INDEX tasks_by_state ON tasks (state, finished_at);
    """,
    """
    ALTER TABLE entries ADD COLUMN copy_mtime_ns INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE entries ADD COLUMN link NOT NULL DEFAULT '';

    -- Files whose names are about to be changed: on the way to which goal, and by which step.
    ALTER TABLE journal ADD COLUMN copy_mtime_ns INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE journal ADD COLUMN link NOT NULL DEFAULT '';
    ALTER TABLE journal ADD COLUMN goal TEXT NOT NULL DEFAULT 'cached';
    ALTER TABLE journal ADD COLUMN step TEXT NOT NULL DEFAULT 'publish';
    """,
    """
    -- Until when a demand counts by the settings of its kind and its user; NULL: for as long as it stands.
    ALTER TABLE demands ADD COLUMN counts_until REAL;

    -- How each source of demands of each user is; user '' for what speaks for nobody in particular.
    CREATE TABLE sources (
        kind TEXT NOT NULL, user TEXT NOT NULL, read_at REAL, failed_since REAL, problem TEXT NOT NULL,
        found INTEGER NOT NULL, unmatched TEXT NOT NULL,
        PRIMARY KEY (kind, user)
    ) WITHOUT ROWID;
    ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT '';

    CREATE INDEX plays_by_item ON plays (rating_key, stopped_at);

    -- What somebody evicted by hand: wishes that are older than that do not count.
    CREATE TABLE declined (rating_key TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;

    CREATE TABLE pins (
        rating_key TEXT PRIMARY KEY, type TEXT NOT NULL, title TEXT NOT NULL, since REAL NOT NULL
    ) WITHOUT ROWID;

    -- The own library by what other services call its movies and shows: plex://, imdb://, tmdb://, tvdb://.
    CREATE TABLE library (
        rating_key TEXT PRIMARY KEY, type TEXT NOT NULL, section TEXT NOT NULL, title TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE guids (
        guid TEXT NOT NULL, rating_key TEXT NOT NULL REFERENCES library ON DELETE CASCADE,
        PRIMARY KEY (guid, rating_key)
    ) WITHOUT ROWID;
    CREATE INDEX guids_by_key ON guids (rating_key);

    -- A task that is not urgent waits for a moment when the array is awake.
    ALTER TABLE tasks ADD COLUMN urgent INTEGER NOT NULL DEFAULT 1;
    """,
    """
    -- What Sonarr and Radarr have said and nobody has acted on yet.
    CREATE TABLE announced (
        id INTEGER PRIMARY KEY AUTOINCREMENT, app TEXT NOT NULL, text TEXT NOT NULL, at REAL NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0
    );
    -- Cached files that somebody seems to be replacing, and until when that may take.
    CREATE TABLE replacing (array_path PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
    """,
    """
    -- By what else a pin is found, should its rating key change: guids of its movie or show (JSON), and the numbers.
    ALTER TABLE pins ADD COLUMN guids TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE pins ADD COLUMN season INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE pins ADD COLUMN episode INTEGER NOT NULL DEFAULT 0;

    -- Until when a retention counts by the settings of its user; NULL: for as long as it stands.
    ALTER TABLE retentions ADD COLUMN counts_until REAL;

    -- How many bytes of sidecars came with each video when it was placed last. Stays when the video leaves.
    CREATE TABLE sidecars (array_path PRIMARY KEY, size INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
    INSERT INTO sidecars SELECT parent, sum(size), max(cached_at) FROM entries WHERE parent <> '' GROUP BY parent;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest shape; a database from a newer ondeckd raises ValueError."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise ValueError(f"the database has version {version}, this ondeckd knows {len(MIGRATIONS)}")
    for number in range(version, len(MIGRATIONS)):
        # executescript would commit by itself, so the transaction is part of the script.
        connection.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")
