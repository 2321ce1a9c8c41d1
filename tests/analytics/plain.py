"""The account of one portfolio computed slowly, day by day and lot by lot, straight from the definitions.

The truth that the kernel is compared with; it shares no code with it. Amounts are Python floats.
"""

import math
from collections import defaultdict
from dataclasses import dataclass

from glassfolio.analytics.instruments import Kind
from tests.analytics.books import Book, Trade

NAN = float("nan")
Days = dict[str, list[float]]


@dataclass(frozen=True)
class Plain:
    """A book whose first portfolio is asked about."""

    book: Book

    @property
    def last(self) -> int:
        return self.book.sessions - 1

    def kind(self, c: int) -> int:
        return int(self.book.instruments.kind[c])

    def splits(self, c: int, after: int, to: int) -> float:
        """Product of the splits of sessions after `after` up to `to`."""
        return math.prod(
            float(self.book.instruments.split[u, c]) for u in range(after + 1, min(to, self.last) + 1)
        )

    def made(self, c: int, t: int) -> int | None:
        """The session of the last close at or before t."""
        closes = self.book.instruments.close
        return next((u for u in range(t, -1, -1) if math.isfinite(closes[u, c])), None)

    def carried(self, c: int, t: int) -> float:
        """That close, on the share basis of t."""
        u = self.made(c, t)
        return NAN if u is None else float(self.book.instruments.close[u, c]) / self.splits(c, u, t)

    def shares(self, lot: Trade, t: int) -> float:
        basis = lot.basis if lot.basis is not None else (lot.exit if lot.exit <= 9_999 else self.last)
        if t <= basis:
            return lot.quantity / self.splits(lot.column, t, basis)
        return lot.quantity * self.splits(lot.column, basis, t)

    def begin(self, lot: Trade) -> int | None:
        """The session from which a lot's account begins, -1 from before the grid; None if never."""
        kind = self.kind(lot.column)
        if lot.exit < 0 or lot.entry > self.last or (lot.entry < 0 and lot.exit == 0):
            return None
        priced = self.made(lot.column, self.last) is not None
        stated = math.isfinite(lot.entry_price)
        if kind == Kind.PRIVATE and stated:
            return lot.entry
        if not priced:
            return None
        if stated and lot.dated:
            return lot.entry
        first = next(t for t in range(self.last + 1) if self.made(lot.column, t) is not None)
        if first <= max(lot.entry, 0):
            return lot.entry
        return first if first < lot.exit else None

    def cost(self, lot: Trade) -> float:
        """USD paid for the whole lot."""
        begin = self.begin(lot)
        assert begin is not None
        late = begin > lot.entry
        if math.isfinite(lot.entry_price) and not (late and not lot.dated):
            return lot.multiplier * lot.quantity * lot.entry_price
        at = max(begin, 0)
        return lot.multiplier * self.shares(lot, at) * self.carried(lot.column, at)

    def value(self, lot: Trade, t: int) -> float:
        """m q P, P carried; before any price at cost."""
        price = self.carried(lot.column, t)
        return self.cost(lot) if math.isnan(price) else lot.multiplier * self.shares(lot, t) * price

    def age(self, lot: Trade, t: int) -> int:
        """Sessions since the price of a held lot was made, the fill included."""
        u = self.made(lot.column, t)
        if u is None:
            return t - (self.begin(lot) or 0) + (1 if self.begin(lot) == -1 else 0)
        return t - u + (int(self.book.instruments.age[lot.column]) if u == 0 else 0)

    def held(self, lot: Trade, t: int) -> bool:
        begin = self.begin(lot)
        return begin is not None and begin <= t < lot.exit

    def income(self, lot: Trade, t: int) -> float:
        if t == 0 or not self.held(lot, t - 1):
            return 0.0
        return lot.multiplier * self.shares(lot, t) * float(self.book.instruments.dividend[t, lot.column])

    def proceeds(self, lot: Trade) -> float:
        if math.isfinite(lot.exit_price):
            return lot.multiplier * self.shares(lot, lot.exit) * lot.exit_price
        return self.value(lot, lot.exit)

    def pnl(self, lot: Trade, t: int) -> float:
        """The four cases."""
        begin = self.begin(lot)
        if begin is None or t < max(begin, 0) or t > lot.exit or (t == 0 and begin < 0):
            return 0.0
        if begin == lot.exit == t:
            return self.proceeds(lot) - self.cost(lot)
        if t == begin:
            return self.value(lot, t) - self.cost(lot)
        if t == lot.exit:
            return self.proceeds(lot) + self.income(lot, t) - self.value(lot, t - 1)
        return self.value(lot, t) + self.income(lot, t) - self.value(lot, t - 1)

    def exposure(self, lot: Trade, t: int) -> float:
        if not self.held(lot, t) or self.kind(lot.column) == Kind.CASH:
            return 0.0
        if self.kind(lot.column) != Kind.OPTION:
            return self.value(lot, t)
        x = self.book.instruments.exposure_price
        u = next((u for u in range(t, -1, -1) if math.isfinite(x[u, lot.column])), None)
        if u is None:
            return 0.0
        price = float(x[u, lot.column]) / self.splits(lot.column, u, t)
        return lot.multiplier * self.shares(lot, t) * price

    def accounts(self) -> Days:
        """NAV, cash and what moves them, every session."""
        lots, holder, days = self.book.trades, self.book.holders[0], range(self.last + 1)
        found: Days = {"flow": list(holder.flows)}
        found["value"] = [sum(self.value(lot, t) for lot in lots if self.held(lot, t)) for t in days]
        found["pnl"] = [sum(self.pnl(lot, t) for lot in lots) for t in days]
        found["income"] = [sum(self.income(lot, t) for lot in lots) for t in days]
        sold = [lot for lot in lots if self.begin(lot) is not None and lot.exit <= self.last]
        found["realised"] = [
            sum(self.proceeds(lot) - self.cost(lot) for lot in sold if lot.exit == t) for t in days
        ]
        found["unrealised"] = [
            sum(self.value(lot, t) - self.cost(lot) for lot in lots if self.held(lot, t)) for t in days
        ]
        bought = [lot for lot in lots if (self.begin(lot) or 0) >= 0 and self.begin(lot) is not None]
        moved = [
            found["income"][t]
            + sum(self.proceeds(lot) for lot in sold if lot.exit == t)
            - sum(self.cost(lot) for lot in bought if self.begin(lot) == t)
            for t in days
        ]
        a, flows = holder.anchor, holder.flows
        nav, cash = [NAN] * len(days), [NAN] * len(days)
        nav[a], cash[a] = holder.equity, holder.equity - found["value"][a]
        for t in range(a + 1, len(days)):
            nav[t] = nav[t - 1] + found["pnl"][t] + flows[t]
            cash[t] = cash[t - 1] + flows[t] + moved[t]
        for t in range(a, 0, -1):
            nav[t - 1] = nav[t] - found["pnl"][t] - flows[t]
            cash[t - 1] = cash[t] - flows[t] - moved[t]
        return found | {"nav": nav, "cash": cash} | self._performance(nav, found["pnl"], flows)

    def _performance(self, nav: list[float], pnl: list[float], flows: tuple[float, ...]) -> Days:
        daily, total, drawdown = [], [], []
        growth, peak, broken = 1.0, 1.0, False
        from_before = any((self.begin(lot) or 0) < 0 and self.held(lot, 0) for lot in self.book.trades)
        for t, gain in enumerate(pnl):
            before = nav[t - 1] if t else nav[0] - pnl[0] - flows[0]
            base = before + max(flows[t], 0.0)
            known = t > 0 or not from_before
            broken = broken or (known and base <= 0)
            daily.append(gain / base if known and base > 0 else NAN)
            growth *= 1 + (daily[t] if not math.isnan(daily[t]) else 0.0)
            peak = max(peak, growth)
            total.append(NAN if broken else growth - 1)
            drawdown.append(NAN if broken else growth / peak - 1)
        return {"daily_return": daily, "twr_cum": total, "drawdown": drawdown}

    def quality(self) -> Days:
        """Shares of value that are stale and that are known, and how much is held."""
        lots, found = self.book.trades, defaultdict[str, list[float]](list)
        for t in range(self.last + 1):
            held = [lot for lot in lots if self.held(lot, t)]
            size = sum(abs(self.value(lot, t)) for lot in held)
            old = sum(abs(self.value(lot, t)) for lot in held if self.age(lot, t) > 0)
            found["stale_value_share"].append(old / size if size > 0 else 0.0)
            missing = [
                lot
                for lot in lots
                if self.begin(lot) is None and self._waits(lot) and lot.entry <= t < lot.exit
            ]
            cost = sum(abs(lot.multiplier * lot.quantity * lot.entry_price) for lot in missing)
            found["value_coverage"].append(1.0 if size + cost == 0 else size / (size + cost))
            found["lots"].append(len(held))
            found["positions"].append(len({lot.column for lot in held if self.kind(lot.column) != Kind.CASH}))
        return found

    def _waits(self, lot: Trade) -> bool:
        """Whether a lot has no account because there is no price."""
        return (
            lot.entry <= self.last
            and lot.exit >= 0
            and not (lot.entry < 0 and lot.exit == 0 and self._known(lot))
        )

    def _known(self, lot: Trade) -> bool:
        return self.begin(Trade(**vars(lot) | {"exit": 10_000, "basis": 0})) is not None

    def exposures(self) -> Days:
        """Sizes over instruments and concentration over underlyings."""
        found = defaultdict[str, list[float]](list)
        for t in range(self.last + 1):
            instruments, underlyings = self.nets(t)
            found["long"].append(sum(x for x in instruments.values() if x > 0))
            found["short"].append(sum(x for x in instruments.values() if x < 0))
            sizes = sorted((abs(x) for x in underlyings.values()), reverse=True)
            total = sum(sizes)
            weights = [size / total for size in sizes] if total > 0 else []
            found["hhi"].append(sum(w * w for w in weights) if weights else NAN)
            found["top_3"].append(sum(weights[:3]) if weights else NAN)
            found["top_10"].append(sum(weights[:10]) if weights else NAN)
        return found

    def nets(self, t: int) -> tuple[dict[int, float], dict[int, float]]:
        """Exposure by instrument, and by underlying."""
        instruments, underlyings = defaultdict[int, float](float), defaultdict[int, float](float)
        for lot in self.book.trades:
            instruments[lot.column] += self.exposure(lot, t)
            underlyings[int(self.book.instruments.underlying[lot.column])] += self.exposure(lot, t)
        return instruments, underlyings
