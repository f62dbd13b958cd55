"""Remembering millions of names in little memory."""

from array import array

_FREE = 0


class Seen:
    """Names that came before, by 64-bit hash: 16 to 32 bytes a name, where a set of texts takes
    hundreds.

    Two of two million different names are taken for the same with a chance of one in ten million;
    the hash is seeded anew for each process, so nobody can contrive it.
    """

    def __init__(self) -> None:
        self._count = 0
        self._slots = array("q", bytes(8 * 1024))

    def add(self, name: str) -> bool:
        """Remember `name`; False where it came before."""
        if 2 * self._count >= len(self._slots):
            self._grow()
        number = hash(name) or 1
        place = self._place(number)
        if self._slots[place] == number:
            return False
        self._slots[place] = number
        self._count += 1
        return True

    def _place(self, number: int) -> int:
        """Where `number` stands, or would."""
        slots, last = self._slots, len(self._slots) - 1
        place = number & last
        while slots[place] not in (_FREE, number):
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        old, self._slots = self._slots, array("q", bytes(16 * len(self._slots)))
        for number in old:
            if number != _FREE:
                self._slots[self._place(number)] = number
