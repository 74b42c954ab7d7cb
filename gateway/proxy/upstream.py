"""A response to an INVITE on its way back to the caller (RFC 3261 §16.7 steps 3, 5, 8 and 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.proxy import splice
from gateway.sip.message import Response
from gateway.transaction import machines as m

if TYPE_CHECKING:
    from gateway.proxy.call import Call
    from gateway.proxy.invite_branch import Branch


def pass_response(call: Call, branch: Branch, response: Response, now: float) -> None:
    """Pass a response of `branch` to the caller: our Via gone, the Record-Routes as they may be."""
    core = call.core
    screened = core.gate.screen_response(response, call.request, branch.peer, call.source.peer)
    status = response.status
    routes = branch.returned_routes(response) if branch.cookie and 100 < status < 300 else None
    core.counters.sent_responses[status // 100] += 1
    data = splice.response(response, screened, routes, status, response.reason)
    server = call.server
    if 200 <= status < 300 and server.state >= m.COMPLETED:
        # §16.7 step 5: a 2xx is always passed on, also after another final response.
        core.layer.send(server.destination, data)
    else:
        server.respond(status, data, now)
