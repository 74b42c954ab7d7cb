"""The HTTP side of the control process: metrics, health, the status page, and the REST API `/api/v1`.

Theory of operation. `app.make_app` puts the routers of `routes.ROUTERS` behind two layers. `access` bounds the body,
finds the token's principal and holds its rate; `idempotent` answers a change that is sent again with its first answer.
A route then says whom it needs, calls the same functions as the command line, and lets their errors through: `problems`
turns each into problem+json that names field, value and fix. Every change writes its audit row, and the outbox row by
which the gate learns of it, in its own transaction.

To add a router:

1. Write `routes/<thing>.py` with models (requests inherit `types.Body`, values are `types.Id`, `PhoneNumber`, `Time`,
   `Text`, `Words`), and `def router(context: Context) -> APIRouter`, which makes `APIRouter(tags=["<thing>"])` and its
   routes as inner functions. Paths have no `/api/v1` before them. Add `<thing>.router` to `routes.ROUTERS`.
2. Every route has a parameter `caller: Caller = needs(*ROLES, scope=Scope.…)` as its last: `STAFF`, `EVERYONE`,
   `CHANGERS` of `caller.py` or single `Role`s; the scope is READ unless it changes something. A test fails on a route
   without one.
3. Where `EVERYONE` (or `Role.OPERATOR`) comes in: filter by `caller.operator` (empty: all), ask `caller.must_own(id)`
   for an operator named in the request (403), `caller.must_see(row.operator, "range", id)` for a thing found by its id
   (404). Facts and reasons of a call go through `discreet`: it may present another's number. A test asks every route
   for beta's data with alpha's token.
4. Subscriber numbers: in request bodies only, never in a path or query; answers hold `mask(number)`. To look up by
   number is a POST (`/consents/lookup`).
5. Lists take `paging: Paged` and return `paging.page(rows, show, key)`; ask the store for `paging.limit + 1` rows after
   `paging.after(int)` (or `str`): a unique key that the rows are ordered by.
6. Errors: raise `not_found`, `forbidden`, `conflict`, `invalid(field, value, fix)` of `problems.py`, or let
   ImportRefused, Conflict, Unavailable through. Responses that hold a secret set `Cache-Control: no-store`, so that no
   idempotency key keeps them.
7. A change that needs two principals: an entry of `control.approvals.KINDS`, and a route that answers 202 with
   `routes.approvals.shown(await approvals.request(…))`.
8. Return pydantic models, never dicts of unknown shape: the schema test holds every answer against the description.

`context.engine` is for short statements, `context.patient` for bulk ones; `context.keys` and `context.subscribers`
hash and seal; `context.clock()` is now. Errors, idempotency and their description need nothing from a route.
"""

from gateway.control.api.app import make_app
from gateway.control.api.context import Context

__all__ = ["Context", "make_app"]
