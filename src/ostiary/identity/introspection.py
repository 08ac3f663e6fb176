"""Opaque tokens, which only their issuer can read: it is asked what one is worth. RFC 7662.

An answer counts for a short while, so a token that was revoked opens the door for so much longer and no more.
However many wait for one token, its issuer is asked once; who waits in vain hears TemporarilyUnavailable,
since nothing can be decided. An issuer that failed is not asked again at once.
"""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from ostiary.event_log import event_log
from ostiary.identity.verified_tokens import VerifiedTokens
from ostiary.inline_coroutines import in_task
from ostiary.oauth.client.client_authentication import client_secret_basic, client_secret_post
from ostiary.oauth.client.server_metadata import MetadataRefused, introspection_endpoint, metadata_urls
from ostiary.oauth.errors import InvalidToken, TemporarilyUnavailable
from ostiary.oauth.refusal import Refusal
from ostiary.transport.fetch import NOT_JSON, Fetcher, FetchError

if TYPE_CHECKING:
    from ostiary.identity.inbound_settings import IntrospectionInbound
    from ostiary.oauth.canonical_url import CanonicalUrl

log = event_log("ostiary.identity")

LONGEST_TOKEN = 16 * 1024
LONGEST_WAIT = 5.0
"""Seconds that a call waits for an answer."""
FAILURE_PAUSE = 1.0
"""Seconds for which an issuer that failed is not asked again."""
INACTIVE_SECONDS = 10.0
"""For how long a token that is worth nothing is not asked about again."""
MOST_QUESTIONS = 64
"""Under way at one issuer: strangers send whatever they like."""
_IS_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""RFC 6750 section 2.1."""


@dataclass(frozen=True, slots=True)
class Introspected:
    """An active token: what its issuer says of it, and until when that counts, in seconds since the epoch."""

    claims: Mapping[str, Any]
    until: float


class Introspection:
    """One issuer, as it is asked for all endpoints. clock: seconds since the epoch."""

    def __init__(self, entry: IntrospectionInbound, fetcher: Fetcher, clock: Callable[[], float]) -> None:
        self._entry = entry
        self._fetcher = fetcher
        self._clock = clock
        self._url: CanonicalUrl | None = entry.introspection_url
        self._answers: VerifiedTokens[tuple[Introspected | None, float]] = VerifiedTokens()
        self._asking: dict[str, asyncio.Task[Introspected | None]] = {}
        self._failed_at = float("-inf")
        self._why = ""

    async def ask(self, token: str) -> Introspected:
        """What the token is worth. Raises InvalidToken or TemporarilyUnavailable."""
        if len(token) > LONGEST_TOKEN or _IS_TOKEN.fullmatch(token) is None:
            raise InvalidToken(
                "the token is too long, or is none",
                reason=Refusal.MALFORMED,
                detail=f"{len(token)} characters",
            )
        known = self._answers.get(token)
        if known is not None and self._clock() < known[1]:
            return _active(known[0])
        return _active(await self._answer(token))

    async def _answer(self, token: str) -> Introspected | None:
        task = self._asking.get(token)
        if task is None:
            if self._clock() - self._failed_at < FAILURE_PAUSE:
                self._give_up()
            if len(self._asking) >= MOST_QUESTIONS:
                self._give_up(f"{MOST_QUESTIONS} questions are under way")
            task = self._asking[token] = in_task(self._ask(token))
            task.add_done_callback(lambda _: self._asking.pop(token, None))
        await asyncio.wait({task}, timeout=LONGEST_WAIT)
        if not task.done():
            self._give_up(f"no answer within {LONGEST_WAIT:g} s")
        failure = task.exception()
        if failure is not None:
            self._give_up()
        return task.result()

    async def _ask(self, token: str) -> Introspected | None:
        try:
            answer = await self._asked(token)
        except (FetchError, MetadataRefused) as error:
            self._failed_at, self._why = self._clock(), str(error)
            log.warning("introspection_failed", issuer=self._entry.name, problem=str(error))
            raise
        now = self._clock()
        active = None
        if answer.get("active") is True:
            active = Introspected(answer, now + self._entry.cache.total_seconds())
        self._answers.remember(token, (active, now + INACTIVE_SECONDS if active is None else active.until))
        return active

    async def _asked(self, token: str) -> Mapping[str, Any]:
        """The issuer's answer. Raises FetchError or MetadataRefused."""
        entry = self._entry
        url = self._url = self._url or await self._discovered()
        by = client_secret_basic if entry.auth_method == "client_secret_basic" else client_secret_post
        proof = by(entry.client_id, entry.client_secret.reveal())
        form = {"token": token, "token_type_hint": "access_token", **proof.form}
        headers = {"accept": "application/json", **proof.headers}
        document = await self._fetcher.post_form(url, form, headers=headers, reach=entry.reach)
        if document.status != 200:
            who = f"; it does not take client {entry.client_id}" if document.status in {400, 401, 403} else ""
            raise FetchError(url, f"it answered {document.status}, not 200{who}", status=document.status)
        try:
            answer = msgspec.json.decode(document.body.removeprefix(codecs.BOM_UTF8), type=dict[str, Any])
        except (msgspec.ValidationError, *NOT_JSON):
            raise FetchError(url, "the answer is no JSON object") from None
        if not isinstance(answer.get("active"), bool):
            raise FetchError(url, "the answer does not say whether the token is active")
        return answer

    async def _discovered(self) -> CanonicalUrl:
        reasons = []
        issuer = self._entry.issuer or ""
        for url in metadata_urls(issuer):
            try:
                document = await self._fetcher.get_json(url, reach=self._entry.reach)
                return introspection_endpoint(document, issuer=issuer)
            except (FetchError, MetadataRefused) as error:
                reasons.append(str(error))
        raise MetadataRefused("; ".join(reasons))

    def _give_up(self, why: str = "") -> NoReturn:
        raise TemporarilyUnavailable(
            "the token cannot be verified now, because its issuer cannot be asked about it",
            reason=Refusal.INTROSPECTION_UNAVAILABLE,
            retry_after=1,
            detail=f"introspection by {self._entry.name}: {why or self._why}",
        )


def _active(found: Introspected | None) -> Introspected:
    if found is None:
        raise InvalidToken(
            "the token is not active",
            reason=Refusal.INACTIVE,
            detail="its issuer says that it is expired, revoked, unknown, or not for us to ask about",
        )
    return found
