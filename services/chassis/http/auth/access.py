"""Roles by route. A route without a row is denied."""

from collections.abc import Mapping, Sequence

from services.chassis.http.api_docs import PATH

Routes = Mapping[str, Sequence[str]]  # roles by method and path, such as `GET /users/{user_id}`
PUBLIC = "public"  # in place of roles: without a token
EVERYBODY = frozenset({PUBLIC})


def needed(routes: Routes, method: str, path: str) -> frozenset[str]:
    """Return the roles of which a caller needs one; EVERYBODY for a public route, none if nobody may call it.

    OPTIONS and the pages of the API's documentation are public: they show no data, and browsers load them without a
    token.
    """
    if method == "OPTIONS" or path == PATH or path.startswith(f"{PATH}/"):
        return EVERYBODY
    return frozenset(routes.get(f"{method} {path}", ()))
