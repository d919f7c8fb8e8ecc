"""Clients with sessions, several devices of each user, over HTTP. They follow the rules of docs/http.md, so no session ends by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Any, Final

import httpx

from tests.shop.web import Web, bearer

from .history import Answer, History, Operation, UserSeen, Verdict
from .sessions import End, Human, Secret, Session

_REQUESTS: Final = 8
_CHANGES: Final = 60
# Clocks of processes may differ by that many seconds.
_LEEWAY: Final = 5
_UNDONE: Final = frozenset({"unavailable", "too-much-contention", "key-in-use", "sessions-unavailable"})
_UNKNOWN: Final = frozenset({"outcome-unknown", "timeout"})
_REFUSED: Final = frozenset({"precondition-failed", "changed-meanwhile", "session-not-found"})
_STEPS: Final = {
    "show": 20,
    "show_profile": 10,
    "list": 10,
    "refresh": 60,
    "update": 25,
    "log_out": 4,
    "log_out_everywhere": 2,
    "change_password": 2,
}


class Device:
    """One client of a user, with one session at a time. Tokens are issued by the first process, and used in all."""

    def __init__(self, human: Human, webs: tuple[Web, ...], history: History, chance: Random, *, is_lazy: bool) -> None:
        self._human = human
        self._webs = webs
        self._history = history
        self._chance = chance
        # Refreshes only when its access token is refused.
        self._is_lazy = is_lazy
        self._session: Session | None = None

    async def run(self, goes_on: Callable[[], bool]) -> None:
        """Work as long as `goes_on` is true."""
        while goes_on():
            try:
                await self._step()
            except Exception as error:  # noqa: BLE001 - whatever the service raises is a defect
                self._history.defects.append(f"{type(error).__name__}: {error}")
                self._session = None

    async def _step(self) -> None:
        if self._session is None:
            if not await self._log_in(self._human.password):
                # More attempts would be too many.
                async with self._human.changing:
                    pass
            return
        step = self._chance.choices(list(_STEPS), list(_STEPS.values()))[0]
        if step != "refresh" or not self._is_lazy:
            await getattr(self, f"_{step}")(self._session)

    # --- Sessions ---------------------------------------------------------------------------------------------------------

    async def _log_in(self, password: Secret) -> bool:
        """Log in, and return whether it succeeded."""
        began, asked = self._history.now(), time.monotonic()
        response = await self._post("/sessions", {"email": self._human.email, "password": password.text})
        now, problem, replaced = self._history.now(), self._problem("log in", response), password.replaced
        match problem:
            case "":
                assert replaced is None or not (replaced.is_done and replaced.ended < began), "sessions: an old password is accepted"
                tokens = response.json()
                self._session = Session(tokens["session_id"], "", "", began, now, 0, 0)
                self._take(self._session, tokens, asked)
                self._human.sessions.append(self._session)
            case "wrong-credentials":
                may_be_wrong = password is not self._human.password or (replaced is not None and replaced.may_affect(began, now))
                assert may_be_wrong, "sessions: the right password is refused"
            case _:
                assert problem in _UNDONE | _UNKNOWN, f"log in: {problem}"
        return problem == ""

    async def _refresh(self, session: Session) -> None:
        limit = self._chance.uniform(0.001, 0.03) if self._chance.random() < 0.05 else None
        for number in range(_REQUESTS):
            await asyncio.sleep(0.02 * number)
            began, asked = self._history.now(), time.monotonic()
            try:
                async with asyncio.timeout(limit):
                    response = await self._post("/sessions/refresh", {"refresh_token": session.refresh})
            except TimeoutError:
                self._session = None
                return
            problem = self._problem("refresh", response)
            if problem == "":
                assert not self._human.has_ended(session, began), "sessions: one that has ended is continued"
                self._take(session, response.json(), asked)
                return
            if problem not in _UNDONE:
                self._session = None
                assert problem in _UNKNOWN | {"session-ended"}, f"refresh: {problem}"
                may_be_right = problem in _UNKNOWN or self._human.may_have_ended(session, self._history.now())
                assert may_be_right, f"sessions: one that nobody has ended is not continued: {session.id}"
                return

    def _take(self, session: Session, tokens: dict[str, Any], asked: float) -> None:
        session.access, session.refresh = tokens["access_token"], tokens["refresh_token"]
        session.fresh_until = asked + tokens["expires_in"]
        session.valid_until = time.monotonic() + tokens["expires_in"] + _LEEWAY

    async def _list(self, session: Session) -> None:
        began = self._history.now()
        response = await self._ask(session, "GET", f"/users/{self._human.id}/sessions", web=self._chance.choice(self._webs))
        now = self._history.now()
        if response is None or not response.is_success:
            return
        found = {each["id"] for each in response.json()["items"]}
        for each in [*self._human.sessions]:
            if self._human.has_ended(each, began):
                assert each.id not in found, "sessions: one that has ended is listed"
                self._human.sessions.remove(each)
            elif each.opened < began and not self._human.may_have_ended(each, now):
                assert each.id in found, "sessions: an open one is not listed"

    async def _log_out(self, session: Session) -> None:
        """End this session, or another one of the user."""
        ended = self._chance.choice([session, *self._human.sessions])
        path = "/sessions/current" if ended is session else f"/users/{self._human.id}/sessions/{ended.id}"
        end = End(self._history.now())
        ended.ends.append(end)
        operation = await self._write("log out", session, "DELETE", path)
        if operation is None:
            return
        if operation.verdict is Verdict.DONE:
            end.ended, end.is_done = operation.ended, True
        elif operation.verdict is Verdict.REFUSED:
            assert self._human.may_have_ended(ended, operation.ended, but=end), f"sessions: an open one is not found: {ended.id}"

    async def _log_out_everywhere(self, session: Session) -> None:
        end = End(self._history.now())
        self._human.ends.append(end)
        operation = await self._write("log out everywhere", session, "DELETE", f"/users/{self._human.id}/sessions")
        self._settle(end, operation)

    def _settle(self, end: End, operation: Operation | None) -> None:
        end.is_over = True
        if operation is None or operation.verdict in {Verdict.FAILED, Verdict.REFUSED}:
            self._human.ends.remove(end)
        elif operation.verdict is Verdict.DONE:
            self._human.acknowledge(end, operation.ended)

    async def _change_password(self, _: Session) -> None:
        human, old = self._human, self._human.password
        if human.changing.locked():
            return
        async with human.changing:
            new = Secret(f"battery {self._chance.getrandbits(64):x}")
            end = old.replaced = End(self._history.now())
            human.ends.append(end)
            key = f"{self._chance.getrandbits(128):032x}"
            operation = Operation("change the password", human.id, None, key, end.began)
            try:
                await self._until_known(operation, old, new)
            finally:
                operation.ended = self._history.now()
                if operation.answers:
                    self._history.operations.append(operation)
            self._settle(end, operation)
            if operation.verdict is Verdict.DONE:
                human.password = new
            else:
                old.replaced = None
        if operation.verdict is Verdict.DONE and self._chance.random() < 0.3:
            await self._log_in(old)

    async def _until_known(self, operation: Operation, old: Secret, new: Secret) -> None:
        """Repeat a change of the password until its outcome is known: under its key, after a login by either password."""
        body = {"old": old.text, "new": new.text}
        for number in range(_CHANGES):
            await asyncio.sleep(0.02 * min(number, 10))
            if self._session is None:
                await self._log_in(new if number % 2 else old)
                continue
            response = await self._ask(self._session, "PUT", f"/users/{self._human.id}/password", key=operation.key, json=body)
            if response is None:
                continue
            operation.answers.append(self._answer("change the password", response))
            if operation.answers[-1].verdict in {Verdict.DONE, Verdict.REFUSED}:
                return
        raise AssertionError("change the password: not answered")

    # --- The profile ------------------------------------------------------------------------------------------------------

    async def _show(self, session: Session) -> None:
        began = self._history.now()
        response = await self._ask(session, "GET", f"/users/{self._human.id}", web=self._chance.choice(self._webs))
        if response is not None and response.is_success:
            shown = response.json()
            self._human.version = max(self._human.version, shown["version"])
            seen = UserSeen(self._human.id, shown["version"], shown["first_name"], began, self._history.now())
            self._history.users_seen.append(seen)

    async def _show_profile(self, _: Session) -> None:
        """Read what is cached, in the process that writes: others may not know yet that it missed an invalidation."""
        began = self._history.now()
        response = await self._webs[0].client.get(f"/users/{self._human.id}/profile")
        if self._problem("other requests", response) == "":
            self._history.users_seen.append(UserSeen(self._human.id, None, response.json()["first_name"], began, self._history.now()))

    async def _update(self, session: Session) -> None:
        name = f"{self._chance.getrandbits(64):x}"
        match = "*" if self._chance.random() < 0.2 else f'"{self._human.version}"'
        key = f"{self._chance.getrandbits(128):032x}" if self._chance.random() < 0.5 else None
        path = f"/users/{self._human.id}"
        operation = await self._write("update", session, "PATCH", path, key=key, match=match, name=name)
        if operation is not None and operation.verdict is Verdict.DONE:
            self._human.version = max(self._human.version, operation.done.version)

    # --- Requests ---------------------------------------------------------------------------------------------------------

    async def _write(
        self, kind: str, session: Session, method: str, path: str, *, key: str | None = None, match: str = "", name: str = ""
    ) -> Operation | None:
        """Send a request, with a key again until its outcome is known. Return None if it was never accepted."""
        operation = Operation(kind, self._human.id, None, key, self._history.now(), name=name)
        options: dict[str, Any] = {"headers": {"If-Match": match}, "json": {"first_name": name}} if name else {}
        for number in range(1 if key is None else _REQUESTS):
            await asyncio.sleep(0.02 * number)
            response = await self._ask(session, method, path, key=key, **options)
            if response is None:
                break
            operation.answers.append(self._answer(kind, response))
            if operation.answers[-1].verdict in {Verdict.DONE, Verdict.REFUSED}:
                break
        operation.ended = self._history.now()
        if not operation.answers:
            return None
        self._history.operations.append(operation)
        return operation

    async def _ask(
        self, session: Session, method: str, path: str, *, web: Web | None = None, key: str | None = None, **options: Any
    ) -> httpx.Response | None:
        """Send a request of a session. Return None if its access token is refused, after a refresh."""
        web = web or self._webs[0]
        began, asked = self._history.now(), time.monotonic()
        headers = bearer({"access_token": session.access}) | options.pop("headers", {}) | ({} if key is None else {"Idempotency-Key": key})
        response = await web.client.request(method, path, headers=headers, **options)
        if self._problem("other requests", response) == "unauthenticated":
            may_be_right = time.monotonic() > session.fresh_until or self._human.may_have_ended(session, self._history.now())
            await self._refresh(session)
            assert may_be_right, f"sessions: one that nobody has ended is refused: {session.id}"
            return None
        if response.status_code < 500:
            has_ended = self._human.has_ended if web is self._webs[0] else self._human.has_ended_everywhere
            assert not has_ended(session, began), f"sessions: one that has ended is accepted: {method} {path}"
            assert asked <= session.valid_until, "sessions: an access token that has expired is accepted"
        return response

    async def _post(self, path: str, body: dict[str, str]) -> httpx.Response:
        return await self._webs[0].client.post(path, json=body)

    def _answer(self, kind: str, response: httpx.Response) -> Answer:
        trace, problem = response.headers["x-request-id"], _problem(response)
        match problem:
            case "":
                version = response.json()["version"] if response.content else 0
                return Answer(trace, Verdict.DONE, None, version, is_replayed="idempotency-replayed" in response.headers)
            case _ if problem in _UNKNOWN:
                return Answer(trace, Verdict.UNKNOWN)
            case _ if problem in _UNDONE:
                return Answer(trace, Verdict.FAILED)
            case _ if problem in _REFUSED:
                return Answer(trace, Verdict.REFUSED)
            case _:
                raise AssertionError(f"{kind}: {problem}")

    def _problem(self, kind: str, response: httpx.Response) -> str:
        """Return the kind of the answer's problem, empty for none, and count it."""
        problem = _problem(response)
        self._history.of_sessions[f"{kind}: {problem or 'done'}"] += 1
        return problem


def _problem(response: httpx.Response) -> str:
    return "" if response.is_success else str(response.json()["type"]).removeprefix("urn:shop:problem:")
