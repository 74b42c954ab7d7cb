"""Who asks, and what a route needs of him: `needs(Role.COMPLIANCE, scope=Scope.LISTS)`.

`access` has authenticated the token before a route is looked for; here a route says who may go on. An operator's token
reads and changes that operator's data alone: a route that lets operators in filters by `caller.operator`, or asks
`caller.must_own(operator_id)`, or both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from gateway.control.api.problems import ApiError, forbidden, not_found
from gateway.store.sql.tokens import Principal, Role, Scope

STAFF: Final = (Role.VIEWER, Role.COMPLIANCE, Role.ADMIN)
"""The carrier's own people: they see every operator's data."""
EVERYONE: Final = (*STAFF, Role.OPERATOR)
CHANGERS: Final = (Role.COMPLIANCE, Role.ADMIN)
"""Those of the staff that may change things."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    principal: Principal

    @property
    def name(self) -> str:
        """For the audit trail."""
        return self.principal.name

    @property
    def operator(self) -> str:
        """The operator whose data alone he sees; empty: everybody's."""
        return self.principal.operator

    def sees(self, operator: str) -> bool:
        """Whether data of `operator` (empty: of none) is shown to him."""
        return not self.principal.operator or self.principal.operator == operator

    def must_have(self, scope: Scope) -> None:
        """Where the scope depends on the request. Raises 403."""
        if scope not in self.principal.scopes:
            raise forbidden(f"the token lacks scope {scope}")

    def must_own(self, operator: str) -> None:
        """For an operator named by the caller himself. Raises 403."""
        if not self.sees(operator):
            raise forbidden(f"operator: {operator!r}: this token is bound to {self.principal.operator}")

    def home(self, asked: str) -> str:
        """The resale operator whose users a request is about: a token in the role resale speaks of its own alone.
        Raises 403."""
        own = self.principal.home
        if own and asked not in ("", own):
            raise forbidden(f"home: {asked!r}: this token is bound to {own}")
        return own or asked

    def must_see(self, operator: str, what: str, name: str) -> None:
        """For a thing named by its id: another operator's is as good as none. Raises 404."""
        if not self.sees(operator):
            raise not_found(what, name)


@dataclass(frozen=True, slots=True)
class Need:
    """What a route asks for."""

    roles: tuple[Role, ...]
    scope: Scope


_bearer = HTTPBearer(auto_error=False, description="A token of `callgate token create`.")


def needs(*roles: Role, scope: Scope = Scope.READ) -> Any:
    """A dependency that gives the `Caller`, or ends the request: 401 without a token, 403 in another role than `roles`
    or without `scope`."""

    async def check(request: Request, _: Annotated[object, Security(_bearer)]) -> Caller:
        principal: Principal | None = getattr(request.state, "principal", None)
        if principal is None:
            raise unauthorised("give a token: Authorization: Bearer cg_…")
        if principal.role not in roles:
            raise forbidden(f"role {principal.role} may not; needs {' or '.join(roles)}")
        caller = Caller(principal)
        caller.must_have(scope)
        return caller

    check.__dict__["needs"] = Need(roles, scope)  # for the API description
    return Depends(check)


def unauthorised(detail: str) -> ApiError:
    """401 (RFC 6750 section 3)."""
    return ApiError(401, "unauthorised", detail, headers={"WWW-Authenticate": 'Bearer realm="callgate"'})
