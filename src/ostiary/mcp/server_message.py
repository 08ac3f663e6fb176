"""What a server says to its client: an answer, a notification, or a request. JSON-RPC 2.0.

Only the members that have a meaning are read, and what goes on is written from them: whatever else a server
puts into a message travels nowhere. How much of it there is decides first: each member costs a step of ours.
"""

from __future__ import annotations

import msgspec

from ostiary.mcp.errors import InvalidRequest, ParseError
from ostiary.mcp.raw_object import Raw, read_members, write_object

SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"
MOST_BESIDES = 64 * 1024
"""The most white space, and members of no meaning, that a message may have."""
LONGEST_OF_A_SUBSCRIPTION = 64 * 1024
"""The longest parameters in which the id of a subscription is replaced. They name a list, or a URI."""
_ABSENT = msgspec.Raw(b"")


class ServerMessage(msgspec.Struct):
    """A message with its members raw; those that are not there are empty."""

    jsonrpc: msgspec.Raw = _ABSENT
    id: msgspec.Raw = _ABSENT
    method: msgspec.Raw = _ABSENT
    params: msgspec.Raw = _ABSENT
    result: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT

    @property
    def compact_length(self) -> int:
        """How long it is with these members alone, and no white space between them."""
        members = [(name, len(getattr(self, name))) for name in self.__struct_fields__]
        return 1 + sum(len(name) + 4 + length for name, length in members if length)

    @property
    def has_method(self) -> bool:
        """Whether it is a notification, or a request."""
        return bool(self.method)

    @property
    def is_request(self) -> bool:
        """Whether it wants an answer."""
        return bool(self.method and self.id)

    def answer_to(self, message_id: bytes) -> tuple[str, Raw]:
        """The answer to the request with this id: ("result" or "error", its raw value).

        An error may have no id, when the request could not be read. Raises InvalidRequest.
        """
        if bytes(self.id) != message_id and not self.error:
            raise InvalidRequest("this answers another request")
        if self.result:
            return "result", self.result
        if self.error:
            return "error", self.error
        raise InvalidRequest("this is neither a result nor an error")

    def notification(self, message_id: bytes, caller_id: bytes) -> bytes:
        """It as a notification for the caller: of their subscription, where it was of ours.

        message_id: what the server knows the caller's request by. Raises InvalidRequest.
        """
        if not self.params:
            return b'{"jsonrpc":"2.0","method":%s}' % self.method
        params: Raw = self.params
        if _subscription_of(params) in {message_id, b'"%s"' % message_id}:
            params = _with_subscription(params, caller_id)
        return b'{"jsonrpc":"2.0","method":%s,"params":%s}' % (self.method, params)


def read_server_message(text: bytes) -> ServerMessage:
    """Read a message. Raises ParseError (not JSON) or InvalidRequest (not an object, a key twice)."""
    message = _decode(text)
    besides = len(text) - message.compact_length
    if besides > MOST_BESIDES:
        raise InvalidRequest(f"a message has more than {MOST_BESIDES} bytes besides its members")
    if besides:
        read_members(text)  # which refuses a key that is there twice
    return message


def _decode(text: bytes) -> ServerMessage:
    try:
        return _DECODER.decode(text)
    except msgspec.ValidationError:
        raise InvalidRequest("a JSON object is wanted here") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ParseError("the body is not well-formed JSON") from None
    except RecursionError:
        raise ParseError("the body is nested too deeply") from None


_DECODER = msgspec.json.Decoder(ServerMessage)


class _Params(msgspec.Struct):
    meta: msgspec.Raw = msgspec.field(default=_ABSENT, name="_meta")


class _Meta(msgspec.Struct):
    subscription: msgspec.Raw = msgspec.field(default=_ABSENT, name=SUBSCRIPTION_KEY)


def _subscription_of(params: Raw) -> bytes:
    try:
        meta = msgspec.json.decode(params, type=_Params).meta
        return bytes(msgspec.json.decode(meta, type=_Meta).subscription) if meta else b""
    except msgspec.DecodeError:
        return b""


def _with_subscription(params: Raw, caller_id: bytes) -> bytes:
    if len(params) > LONGEST_OF_A_SUBSCRIPTION:
        raise InvalidRequest(f"a notice of a subscription is longer than {LONGEST_OF_A_SUBSCRIPTION} bytes")
    members = read_members(params)
    meta = write_object({**read_members(members["_meta"]), SUBSCRIPTION_KEY: caller_id})
    return write_object({**members, "_meta": meta})
