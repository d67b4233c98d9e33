"""A terminal of a size: what stands on it after what was written to it, and what has scrolled away."""

import re
from unicodedata import east_asian_width

_TOKENS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|.|\n", re.DOTALL)


class Terminal:
    """Rows of letters, a cursor, and the few orders that we know of."""

    encoding = "utf-8"

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.gone = []  # rows that have scrolled away
        self.screen = [self._row() for _ in range(rows)]
        self.x = self.y = 0
        self.raw = ""

    def _row(self):
        return [" "] * self.columns

    def write(self, text):
        """As a terminal takes it; a line feed goes to the first column, as a tty has it done."""
        self.raw += text
        for token in _TOKENS.findall(text.replace("\r\n", "\n")):
            if token.startswith("\x1b["):
                self._order(token[-1], token[2:-1])
            elif token == "\n":
                self.x = 0
                self._down()
            elif token == "\r":
                self.x = 0
            else:
                self._put(token)
        return len(text)

    def flush(self):
        """All is there."""

    def isatty(self):
        """What it is for."""
        return True

    def _order(self, letter, number):
        if letter == "A":
            self.y = max(0, self.y - int(number or 1))
        elif letter == "K":
            self.screen[self.y] = self._row() if number == "2" else self.screen[self.y][: self.x] + self._row()[self.x :]
        elif letter == "J":
            self.screen[self.y][self.x :] = [" "] * (self.columns - self.x)
            self.screen[self.y + 1 :] = [self._row() for _ in self.screen[self.y + 1 :]]
        else:
            assert letter in "mhl", f"an order that this terminal does not know: {letter}"

    def _put(self, letter):
        wide = 2 if east_asian_width(letter) in "WF" else 1
        if self.x + wide > self.columns:
            self.x = 0
            self._down()
        self.screen[self.y][self.x : self.x + wide] = [letter, ""][:wide]
        self.x += wide

    def _down(self):
        if self.y == self.rows - 1:
            self.gone.append(self.screen.pop(0))
            self.screen.append(self._row())
        else:
            self.y += 1

    def narrow(self, columns):
        """The window becomes narrower: what stands there is broken into more rows, as most terminals do it."""
        lines = [self.shown(row) for row in self.screen[: self.y + 1]]
        at = len(self.shown(self.screen[self.y]))
        broken = [[line[at : at + columns] for at in range(0, max(1, len(line)), columns)] for line in lines]
        rows = [part for parts in broken for part in parts]
        self.columns = columns
        self.gone += [list(row) for row in rows[: -self.rows]]
        rows = rows[-self.rows :]
        self.screen = [list(row.ljust(columns)) for row in rows] + [self._row() for _ in range(self.rows - len(rows))]
        self.y, self.x = len(rows) - 1, at % columns

    @staticmethod
    def shown(row):
        """The letters of a row."""
        return "".join(row).rstrip()

    @property
    def lines(self):
        """All that can be read, scrolled away or not."""
        lines = [self.shown(row) for row in (*self.gone, *self.screen)]
        while lines and not lines[-1]:
            lines.pop()
        return lines
