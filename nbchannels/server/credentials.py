"""What a request says to Jupyter alone: taken out before a consumer or an application sees it.

A consumer in a notebook needs no login of whoever asks. With the login cookie or the token it could
act as that user for ever, and would write both into every log that it keeps.
"""

import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

__all__ = ["Secrets", "is_login_cookie", "secrets_of", "without_credentials"]

#: Login cookies of Jupyter servers on this host (a cookie knows no port), and of JupyterHub.
_LOGIN_COOKIES = re.compile(r"_xsrf|username-.*|jupyter-?hub-.*", re.DOTALL)
_AUTHORIZATION = re.compile(r"\s*(?:token|bearer)\s+(.+?)\s*", re.IGNORECASE | re.DOTALL)


class Secrets(NamedTuple):
    """What is to be taken out of one request, beside the names that are always Jupyter's.

    Attributes:
        tokens: that Jupyter knows.
        cookies: names of login cookies, if they are not the usual ones.
    """

    tokens: Collection[str] = ()
    cookies: Collection[str] = ()


def secrets_of(handler: Any) -> Secrets:
    """The secrets of a request, after Jupyter's ``prepare``.

    Args:
        handler: a ``JupyterHandler``.
    """
    provider = handler.identity_provider
    tokens = {provider.token}
    if handler.token_authenticated:  # under JupyterHub it is none that this server knows
        tokens.add(provider.get_token(handler))
    return Secrets({token for token in tokens if token}, {provider.get_cookie_name(handler)})


def is_login_cookie(name: str, secrets: Secrets = Secrets()) -> bool:  # noqa: B008 - immutable
    """Whether a cookie of this name is Jupyter's."""
    return bool(_LOGIN_COOKIES.fullmatch(name)) or name in secrets.cookies


def without_credentials(
    headers: Iterable[tuple[str, str]],
    query: str,
    secrets: Secrets = Secrets(),  # noqa: B008 - immutable
) -> tuple[list[tuple[str, str]], str]:
    """The headers and the query of a request without Jupyter's credentials.

    Taken out are Jupyter's and JupyterHub's login cookies and ``_xsrf``; an ``Authorization`` of
    Jupyter's token, and ``token=`` in the query if it is that; the XSRF token in the query and in
    headers. What is in the query is also taken out of a ``Referer``. All else stays as it is, in
    its order; a header that nothing is left of goes. Bodies are not looked into.

    Args:
        headers: names and values, in any case.
        query: as in the address, without its question mark.
        secrets: of this request.
    """
    headers = list(headers)
    xsrf = {
        cookie.partition("=")[2].strip()
        for name, value in headers
        if name.lower() == "cookie"
        for cookie in value.split(";")
        if cookie.partition("=")[0].strip() == "_xsrf"
    }
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        match name.lower():
            case "cookie":
                value = _without_cookies(value, secrets)
                if not value:
                    continue
            case "authorization":
                found = _AUTHORIZATION.fullmatch(value)
                if found and found[1] in secrets.tokens:
                    continue
            case "x-xsrftoken":
                continue
            case "x-csrftoken" if value in xsrf or value.startswith("2|"):  # not Django's
                continue
            case "referer":
                address, mark, rest = value.partition("?")
                told, hash_, fragment = rest.partition("#")
                told = _without_arguments(told, secrets)
                value = address + (mark if told else "") + told + hash_ + fragment
        kept.append((name, value))
    return kept, _without_arguments(query, secrets)


def _without_cookies(value: str, secrets: Secrets) -> str:
    cookies = (cookie.strip() for cookie in value.split(";"))
    return "; ".join(
        cookie
        for cookie in cookies
        if cookie and not is_login_cookie(cookie.partition("=")[0].strip(), secrets)
    )


def _without_arguments(query: str, secrets: Secrets) -> str:
    if not query:
        return query
    return "&".join(part for part in query.split("&") if not _is_secret(part, secrets))


def _is_secret(part: str, secrets: Secrets) -> bool:
    name, _, value = part.partition("=")
    name = unquote_plus(name)
    # Jupyter strips what it reads, so " token" would pass it too.
    return name.strip() == "_xsrf" or (
        name.strip() == "token" and unquote_plus(value).strip() in secrets.tokens
    )
