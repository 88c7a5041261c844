"""Who may ask what: everything that is not a small, well-formed question from the owner's own browser is refused."""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LONGEST_QUERY = 1024
LONGEST_PATH = 256

POLICY = "; ".join((
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
))

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Checks host, method, size and token of every request before the application sees it.

    ``hosts`` are the values of the Host header that are served (against DNS rebinding). The token comes once in the
    address, then in a cookie that scripts can't read and other sites can't send.
    """

    def __init__(self, application: Application, token: str, hosts: frozenset[str], cookie: str) -> None:
        self.application, self.token, self.hosts, self.cookie = application, token, hosts, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or pass on one request."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refusal(scope, headers)
        if refused:
            await _answer(send, *refused)
            return
        await self.application(scope, receive, self._with_headers(scope, send))

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, str] | None:
        if headers.get(b"host", "").lower() not in self.hosts:
            return 421, "This server does not answer to that name."
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, "This server only reads."
        if len(scope["query_string"]) > LONGEST_QUERY or len(scope.get("raw_path") or b"") > LONGEST_PATH:
            return 414, "The address is too long."
        given = self._tokens(scope, headers)
        if not given:
            return 401, "Open the address that `operando view` printed: it holds the token."
        if not any(hmac.compare_digest(one.encode(), self.token.encode()) for one in given):
            return 403, "The token is of another server; open the address that `operando view` printed."
        return None

    def _tokens(self, scope: Scope, headers: dict[bytes, str]) -> list[str]:
        """Every token that the request brings."""
        try:
            jar = SimpleCookie(headers.get(b"cookie", ""))
        except CookieError:
            jar = SimpleCookie()
        given = [jar[self.cookie].value] if self.cookie in jar else []
        return given + _token_of_query(scope)[:1]

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        """Add the protecting headers, and the cookie where the token came in the address."""
        extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        if self.token in _token_of_query(scope):
            cookie = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"
            extra.append((b"set-cookie", cookie.encode()))

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        return sending


def _token_of_query(scope: Scope) -> list[str]:
    try:
        return parse_qs(scope["query_string"].decode("ascii"), max_num_fields=16).get("token", [])
    except (UnicodeDecodeError, ValueError):
        return []


async def _answer(send: Send, status: int, text: str) -> None:
    body = (text + "\n").encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
