"""Passwords at rest, who is logged in, and how often somebody may guess."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable

_LOG_N, _R, _P = 14, 8, 5
_LARGEST_LOG_N = 16
_MEMORY = 160 << 20

SESSION_SECONDS = 14 * 86_400.0
"""How long a login lasts."""

_MOST_SESSIONS = 200
_GUESSES = 5
_GUESS_WINDOW = 300.0
_MOST_GUESSERS = 1_000
_MOST_WAITING = 8


def hash_password(password: str) -> str:
    """Return what stands in ``web.password_hash``: ``scrypt:LOG_N:R:P:SALT:KEY``, safe in any shell."""
    salt = secrets.token_bytes(16)
    key = _derive(password, salt, _LOG_N, _R, _P)
    return f"scrypt:{_LOG_N}:{_R}:{_P}:{_encode(salt)}:{_encode(key)}"


def verify_password(password: str, password_hash: str) -> bool:
    """Say whether `password` was hashed to this. Takes about 0.2 s and 16 MiB; nothing fits a broken hash."""
    try:
        scheme, log_n, r, p, salt, key = password_hash.split(":")
        if scheme != "scrypt" or not 1 <= int(log_n) <= _LARGEST_LOG_N:
            return False
        found = _derive(password, _decode(salt), int(log_n), int(r), int(p))
        return hmac.compare_digest(found, _decode(key))
    except (ValueError, binascii.Error):
        return False


def same_secret(given: str, expected: str) -> bool:
    """Compare in constant time. An empty `expected` fits nothing."""
    return bool(expected) and hmac.compare_digest(_bytes(given), _bytes(expected))


class Sessions:
    """Who is logged in. Held in memory, and worth nothing once the password changes."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._open: dict[bytes, tuple[float, str]] = {}

    def start(self, password_hash: str) -> str:
        """Return the token of a new session; beyond a bound the oldest session ends."""
        token = secrets.token_urlsafe(32)
        while len(self._open) >= _MOST_SESSIONS:
            del self._open[next(iter(self._open))]
        self._open[_digest(token)] = (self._now() + SESSION_SECONDS, password_hash)
        return token

    def holds(self, token: str, password_hash: str) -> bool:
        """Say whether the token is that of a session under the password in force."""
        ends, under = self._open.get(_digest(token), (0.0, ""))
        return ends > self._now() and bool(password_hash) and under == password_hash

    def end(self, token: str) -> None:
        """Log out."""
        self._open.pop(_digest(token), None)


class Guard:
    """Checks passwords one at a time, and only so many wrong ones from one address."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: dict[str, deque[float]] = {}
        self._turn = asyncio.Lock()
        self._waiting = 0

    def wait(self, address: str) -> float:
        """Return for how many seconds `address` may not guess; 0 if it may."""
        if self._waiting >= _MOST_WAITING:
            return 1.0
        failures = self._failures.get(address)
        if not failures or len(failures) < _GUESSES:
            return 0.0
        return max(0.0, failures[0] + _GUESS_WINDOW - self._now())

    async def check(self, address: str, password: str, password_hash: str) -> bool:
        """Say whether the password is right. One at a time: each check takes memory and a core."""
        self._waiting += 1
        try:
            async with self._turn:
                right = await asyncio.to_thread(verify_password, password, password_hash)
        finally:
            self._waiting -= 1
        if right:
            self._failures.pop(address, None)
        else:
            self._note(address)
        return right

    def _note(self, address: str) -> None:
        failures = self._failures.pop(address, None) or deque(maxlen=_GUESSES)
        while len(self._failures) >= _MOST_GUESSERS:
            del self._failures[next(iter(self._failures))]
        failures.append(self._now())
        self._failures[address] = failures


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _digest(token: str) -> bytes:
    return hashlib.sha256(_bytes(token)).digest()


def _derive(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(_bytes(password), salt=salt, n=1 << log_n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decode(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
