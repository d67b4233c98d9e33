"""A grammar that writes examples: seeded, balanced, every item once, some combinations of values held out."""

import hashlib
import itertools
import json
import random
import re
from math import prod

from flaws import stop
from reading import Record

MARK = re.compile(r"\{\{|\}\}|\{([a-z][a-z0-9_]*)(?:\.([A-Za-z][A-Za-z0-9_]*))?(?:\|(capital|upper|lower))?\}")
CHANGES = {
    "capital": lambda text: text[:1].upper() + text[1:],
    "upper": str.upper,
    "lower": str.lower,
}
OWN = ("form", "original", "copy")
ENUMERATED = 1_000_000  # combinations that are written out


def read(path, asked):
    """The grammar of a file, and what is asked of it."""
    return Grammar(json.loads(path.read_text(encoding="utf-8")), asked)


def label(value):
    """What a value is called."""
    return value["id"] if isinstance(value, dict) else value


class Grammar:
    """Draws values for slots, and fills them into forms."""

    def __init__(self, told, asked):
        self.slots, self.forms, self.columns = told["slots"], told["forms"], told["columns"]
        self.distinct, self.copies, self.tools = told["distinct"], told["copies"], told["tools"]
        self.asked = asked
        self.same = {}  # form -> the slots that an item and its copies share
        if self.copies and asked["copies"] is not None:
            self.copies = {**self.copies, "each": asked["copies"]} if asked["copies"] else None
        self.held = self._held_out() if asked["holdout"] else frozenset()

    def records(self):
        """Each item as a record with its side."""
        for at, (side, row) in enumerate(self.rows()):
            yield side, Record(f"item {at}", row)

    def rows(self):
        """Each item with its side: originals in an order of their own, copies behind them."""
        each = self.copies["each"] if self.copies else 0
        originals = self.asked["count"] // (1 + each)
        fixed = self._plan(originals)
        items = [None] * originals
        asked = set()
        for cell, places in _grouped(fixed):
            drawn = self._draw(dict(cell), len(places), asked)
            for place, item in zip(places, drawn, strict=True):
                items[place] = item
        for number, values in enumerate(items):
            # a dataset of one side only is whole; one of both holds out what the grammar does
            side = "test" if self.asked["side"] == "both" and self._is_held(values) else ""
            family = [values, *self._copies_of(values, each, asked)]
            for copy, drawn in enumerate(family):
                yield side, self._row(drawn, original=number, copy=copy)

    # --- which values ---

    def values_of(self, slot, values):
        """What a slot may be, given the values of the others."""
        told = self.slots[slot]
        if "of" in told:
            return self.values_of(told["of"], values)
        return told["values"][label(values[told["by"]])] if "by" in told else told["values"]

    def labels(self, slot):
        """What its values are called."""
        if slot == "form":
            return list(self.forms)
        told = self.slots[slot]
        if "of" in told:
            return self.labels(told["of"])
        lists = told["values"].values() if "by" in told else [told["values"]]
        return list(dict.fromkeys(label(each) for them in lists for each in them))

    def _plan(self, count):
        """For each item the values that balances fix: every quota is exact, and each is spread evenly over the others."""
        fixed = [{} for _ in range(count)]
        balance = {"form": {}, **self.asked["balance"]}
        order = list(range(count))
        for slot, shares in sorted(balance.items()):
            names = self.labels(slot)
            quotas = apportioned([shares.get(name, 0.0 if shares else 1.0) for name in names], count)
            # cell after cell of what is fixed already, each value as evenly as its quota allows
            for place, name in zip(order, evenly(names, quotas), strict=True):
                fixed[place][slot] = name
            order.sort(key=lambda place: tuple(sorted(fixed[place].items())))
        shuffled = list(range(count))
        random.Random(f"order {self.asked['seed']}").shuffle(shuffled)
        return [fixed[place] for place in shuffled]

    def used(self, form):
        """The slots that a form draws, those that others depend on first."""
        seen = self._within([self.forms[form], self.columns])
        # a hold-out may name slots that a form does not draw
        return sorted(seen, key=lambda name: (self._depth(name), name))

    def _within(self, texts):
        """The slots that texts name, and those that stand behind them."""
        seen, ahead = set(), _names(texts)
        while ahead:
            name = ahead.pop()
            if name in seen or name in OWN:
                continue
            seen.add(name)
            slot = self.slots[name]
            ahead += [slot["by"]] if "by" in slot else []
            ahead += _names(self.slots[slot["of"]]["values"] if "of" in slot else slot["values"])
        return seen

    def _depth(self, name):
        slot = self.slots[name]
        return 1 + self._depth(slot["by"]) if "by" in slot else 0

    def _draw(self, cell, count, asked):
        """So many different items with the values of a cell."""
        slots, drawn = self.used(cell["form"]), []
        choices = self._combinations(cell, slots)
        source = random.Random(f"draw {self.asked['seed']} {json.dumps(cell, sort_keys=True, ensure_ascii=False)}")
        misses = 0
        while len(drawn) < count:
            values = self._one(cell, slots, choices, source)
            if values is None or not self._fits(values) or not self._is_new(values, asked):
                misses += 1
                if misses > 200 + 60 * count:
                    drawn += self._rest(cell, slots, choices, count - len(drawn), asked)
                continue
            drawn.append(values)
        return drawn

    def _keys(self, values):
        """What no other item may be: what it asks; and, where it has copies, what all of them ask in their own words."""
        yield self._asked(values)
        if self.copies:
            form = values["form"]
            if form not in self.same:
                told = self.forms[form]
                texts = told["messages"][:-1] if "messages" in told else told["columns"]
                self.same[form] = sorted(self._within(texts) - {*self.copies["vary"]})
            yield (form, *(label(values[slot]) for slot in self.same[form]))

    def _is_new(self, values, asked):
        """Whether no item was like this one; from now on one is."""
        keys = tuple(self._keys(values))
        if any(key in asked for key in keys):
            return False
        asked.update(keys)
        return True

    def _one(self, cell, slots, choices, source):
        values = {"form": cell["form"]}
        held = dict(zip(self.asked["holdout"]["slots"], source.choice(choices), strict=True)) if choices is not None else {}
        wanted = {**cell, **held}
        for slot in slots:
            options = self.values_of(slot, values)
            if slot in wanted:
                options = [each for each in options if label(each) == wanted[slot]]
            if not options:
                return None
            values[slot] = source.choice(options)
        return values

    def _rest(self, cell, slots, choices, count, asked):
        """What random draws did not find, found by going through all."""
        lists = [self.labels(slot) for slot in slots]
        if prod(map(len, lists)) <= ENUMERATED:
            every = list(itertools.product(*lists))
            random.Random(f"rest {self.asked['seed']}").shuffle(every)
            told = []
            for labels in every:
                values = self._labelled(cell, dict(zip(slots, labels, strict=True)), slots, choices)
                if values is not None and self._fits(values) and self._is_new(values, asked):
                    told.append(values)
                    if len(told) == count:
                        return told
        words = ", ".join(f"{slot} {name}" for slot, name in cell.items())
        stop(
            f"the grammar has too few different items for {words}: {count:,} more are wanted\n"
            "  give its slots more values, or lower `count`"
        )
        return []

    def _labelled(self, cell, labels, slots, choices):
        if any(labels[slot] != name for slot, name in cell.items() if slot in labels):
            return None
        if choices is not None:
            own = tuple(cell.get(slot, labels.get(slot)) for slot in self.asked["holdout"]["slots"])
            if own not in {*choices}:
                return None
        values = {"form": cell["form"]}
        for slot in slots:
            found = next((each for each in self.values_of(slot, values) if label(each) == labels[slot]), None)
            if found is None:
                return None
            values[slot] = found
        return values

    def _fits(self, values):
        """Slots that must differ do, and the item is on a side that is asked for."""
        for row in self.distinct:
            told = [label(values[slot]) for slot in row if slot in values]
            if len({*told}) < len(told):
                return False
        side = self.asked["side"]
        return side == "both" or self._is_held(values) == (side == "test")

    # --- hold-outs ---

    def _every_combination(self):
        slots = self.asked["holdout"]["slots"]
        lists = [self.labels(slot) for slot in slots]
        if prod(map(len, lists)) > ENUMERATED:
            stop(f"`holdout` has more than {ENUMERATED:,} combinations\n  name fewer slots")
        apart = [[slots.index(slot) for slot in row if slot in slots] for row in self.distinct]
        for each in itertools.product(*lists):
            if all(len({each[at] for at in row}) == len(row) for row in apart) and self._can_be(
                dict(zip(slots, each, strict=True))
            ):
                yield each

    def _can_be(self, labels):
        """A slot by another has only the values of that one."""
        for slot, name in labels.items():
            by = self.slots[slot].get("by") if slot != "form" else None
            if by in labels and name not in [label(each) for each in self.slots[slot]["values"][labels[by]]]:
                return False
        return True

    def _held_out(self):
        """Combinations of values for the held-out side; each value stays on the other side in another combination."""
        holdout = self.asked["holdout"]
        if holdout["combinations"]:
            return frozenset(tuple(each) for each in holdout["combinations"])
        every = list(self._every_combination())
        want = round(holdout["share"] * len(every))
        left = [{} for _ in holdout["slots"]]
        for each in every:
            for at, name in enumerate(each):
                left[at][name] = left[at].get(name, 0) + 1
        order = sorted(every, key=lambda each: hashlib.sha256("\0".join([str(holdout["seed"]), *each]).encode()).digest())
        held = set()
        for each in order:
            if len(held) < want and all(left[at][name] > 1 for at, name in enumerate(each)):
                held.add(each)
                for at, name in enumerate(each):
                    left[at][name] -= 1
        if not held or len(held) < want // 2:
            what = f"{len(held):,} of {len(every):,} combinations, not {want:,}"
            stop(f"`holdout` can hold out {what}\n  lower its `share`, or give the slots more values")
        return frozenset(held)

    def _combinations(self, cell, slots):
        """The combinations that may be drawn, where only some may."""
        if self.asked["side"] == "both" or not self.asked["holdout"]:
            return None
        names = self.asked["holdout"]["slots"]
        if not {*names} <= {*slots, "form"}:
            return None
        every = (
            self.held if self.asked["side"] == "test" else (each for each in self._every_combination() if each not in self.held)
        )
        told = sorted(each for each in every if all(cell.get(slot, name) == name for slot, name in zip(names, each, strict=True)))
        if not told:
            words = ", ".join(f"{slot} {name}" for slot, name in cell.items())
            says = f"`holdout` leaves no combination for {words} on the {self.asked['side']} side"
            stop(f"{says}\n  hold out more slots, or another share")
        return told

    def _is_held(self, values):
        holdout = self.asked["holdout"]
        if not holdout or not all(slot in values for slot in holdout["slots"]):
            return False
        return tuple(values["form"] if slot == "form" else label(values[slot]) for slot in holdout["slots"]) in self.held

    # --- copies ---

    def _copies_of(self, values, count, asked):
        """The same item in other words: some slots are drawn again."""
        if not count:
            return
        vary = [slot for slot in self.used(values["form"]) if slot in self.copies["vary"]]
        if not vary:
            stop(f"`copies.vary` names no slot of the form `{values['form']}`\n  name one for each form")
        source = random.Random(f"copies {self.asked['seed']} {self._asked(values)}")
        told, tries = 0, 0
        while told < count:
            tries += 1
            if tries > 2_000:
                says = f"`copies` finds no {count} other ways to write an item of `{values['form']}`"
                stop(f"{says}\n  give {', '.join(vary)} more values")
            drawn = dict(values)
            for slot in vary:
                drawn[slot] = source.choice(self.values_of(slot, drawn))
            words = self._asked(drawn)
            if words not in asked and self._fits(drawn):
                asked.add(words)
                told += 1
                yield drawn

    # --- texts ---

    def filled(self, text, values, own):
        """A text with its slots filled in."""

        def fill(found):
            if found[0] in ("{{", "}}"):
                return found[0][0]
            slot, part, change = found[1], found[2], found[3]
            if slot in own:
                told = str(own[slot])
            elif slot == "form":
                told = values["form"]
            else:
                value = values[slot]
                told = value[part or "id"] if isinstance(value, dict) else value
                told = self.filled(told, values, own)
            return CHANGES[change](told) if change else told

        return MARK.sub(fill, text)

    def _messages(self, values, own):
        told = []
        for each in self.forms[values["form"]]["messages"]:
            if "call" in each:
                arguments = {name: self.filled(text, values, own) for name, text in each["arguments"].items()}
                content = f"<CALL:{each['call']}{' ' + json.dumps(arguments, ensure_ascii=False) if arguments else ''}>"
            else:
                content = self.filled(each["content"], values, own)
            told.append({"role": each["role"], "content": content})
        return told

    def _columns(self, columns, values, own):
        return {
            name: [self.filled(part, values, own) for part in text] if isinstance(text, list) else self.filled(text, values, own)
            for name, text in columns.items()
        }

    def _row(self, values, *, original, copy):
        form, own = self.forms[values["form"]], {"original": original, "copy": copy}
        row = {"messages": self._messages(values, own)} if "messages" in form else {}
        row |= self._columns({**self.columns, **form["columns"]}, values, own)
        return {**row, "tools": self.tools} if self.tools and "messages" in form else row

    def _asked(self, values):
        """What makes an item another one: all that it says before the last answer, or its first column."""
        form, own = self.forms[values["form"]], {"original": "", "copy": ""}
        if "messages" in form:
            return "\n".join(each["content"] for each in self._messages(values, own)[:-1])
        columns = self._columns(form["columns"], values, own)
        first = next((name for name in ("question", "prompt", "text") if name in columns), None)
        return columns[first] if first else json.dumps(columns, sort_keys=True)


def _names(value):
    if isinstance(value, str):
        return [found[1] for found in MARK.finditer(value) if found[1]]
    if isinstance(value, dict):
        return [name for each in value.values() for name in _names(each)]
    return [name for each in value for name in _names(each)] if isinstance(value, list) else []


def _grouped(fixed):
    """The places of each cell, in order of the cells."""
    cells = {}
    for place, each in enumerate(fixed):
        cells.setdefault(tuple(sorted(each.items())), []).append(place)
    return sorted(cells.items())


def apportioned(shares, count):
    """Whole quotas in the proportion of shares: the largest remainders are rounded up."""
    total = sum(shares)
    exact = [share / total * count for share in shares]
    told = [int(each) for each in exact]
    order = sorted(range(len(shares)), key=lambda at: (told[at] - exact[at], at))
    for at in order[: count - sum(told)]:
        told[at] += 1
    return told


def evenly(names, quotas):
    """Each name as often as its quota says, as evenly spread as can be."""
    places = sorted(
        ((2 * at + 1) / (2 * quota), order, name)
        for order, (name, quota) in enumerate(zip(names, quotas, strict=True))
        for at in range(quota)
    )
    return [name for _, _, name in places]
