"""Room for large answers: given in order, given back with what held it, and never more than there is."""

from __future__ import annotations

from ostiary.transport.upstream.held import HeldAnswers, Room


def test_room_is_given_in_order_and_given_back_when_nobody_holds_it() -> None:
    held, rooms = HeldAnswers(10), dict[str, Room]()
    for name, size in (("a", 6), ("b", 6), ("c", 1)):
        held.ask(size, lambda room, name=name: rooms.update({name: room}))  # type: ignore[misc]
    assert list(rooms) == ["a"]
    del rooms["a"]
    assert list(rooms) == ["b", "c"]


def test_what_is_larger_than_all_room_has_it_alone() -> None:
    held, rooms = HeldAnswers(10), list[Room]()
    held.ask(100, rooms.append)
    held.ask(1, rooms.append)
    assert len(rooms) == 1
    rooms.clear()
    assert len(rooms) == 1


def test_any_number_of_those_who_have_left_take_no_room() -> None:
    held, rooms = HeldAnswers(10), list[Room]()
    held.ask(10, rooms.append)
    for _ in range(10_000):
        held.ask(10, lambda _room: None)
    held.ask(10, rooms.append)
    rooms.pop()
    assert len(rooms) == 1
