"""The rules of the option columns: which contract a row of the template is about.

A full option symbol in the Symbol column is enough; whatever else is filled must agree with it. Knows
nothing of quantities, entries and exits.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Literal

from glassfolio.imports.cells import Fault, read_symbol, word
from glassfolio.imports.occ import fits_strike, is_adjusted, read_right
from glassfolio.imports.sheet import RowCells
from glassfolio.imports.template_columns import Column
from glassfolio.model.holdings import OptionContract

MAX_UNDERLYING = 9
_FAULTS = {"root": "ERR_POS_033", "expiry": "ERR_POS_021", "strike": "ERR_POS_027"}
_WORDS = {"C": "CALL", "P": "PUT"}

Right = Literal["C", "P"]


def read_contract(cells: RowCells, in_symbol: OptionContract | Fault | None) -> OptionContract | None:
    """The contract of a row whose class is OPTIONS, or None after its problems were told.

    in_symbol: what the Symbol column says, when it is shaped like an option symbol.
    """
    if isinstance(in_symbol, Fault):
        cells.tell_fault(_FAULTS[in_symbol.reason], Column.SYMBOL, in_symbol)
    alone = in_symbol is None
    underlying = _underlying(cells, "ERR_POS_019" if alone else None)
    strike = _strike(cells, "ERR_POS_020" if alone else None)
    expiry = cells.date(Column.EXPIRATION, invalid="ERR_POS_021", missing="ERR_POS_021" if alone else None)
    right = _right(cells, alone)
    if isinstance(in_symbol, OptionContract):
        _compare(cells, in_symbol, underlying, strike, expiry, right)
        return replace(in_symbol, underlying=underlying) if underlying else in_symbol
    if not alone or underlying is None or strike is None or expiry is None or right is None:
        return None
    return OptionContract(underlying, expiry, right, strike)


def _underlying(cells: RowCells, missing: str | None) -> str | None:
    if missing and not cells.filled(Column.UNDERLYING):
        cells.tell(missing, Column.UNDERLYING)
    cell = cells.text(Column.UNDERLYING)
    if cell is None:
        return None
    symbol = read_symbol(cell, MAX_UNDERLYING)
    if isinstance(symbol, Fault):
        tell_symbol(cells, Column.UNDERLYING, symbol)
        return None
    if is_adjusted(symbol):
        cells.tell("ERR_POS_033", Column.UNDERLYING, root=symbol)
        return None
    return symbol


def tell_symbol(cells: RowCells, column: Column, fault: Fault) -> None:
    """Add the problem of a cell that is no ticker."""
    cells.tell_fault("ERR_POS_002" if fault.reason == "too_long" else "ERR_POS_003", column, fault)


def _strike(cells: RowCells, missing: str | None) -> Decimal | None:
    strike = cells.number(Column.STRIKE, invalid="ERR_POS_020", missing=missing)
    if strike is None:
        return None
    if strike <= 0:
        cells.tell("ERR_POS_027", Column.STRIKE)
    elif not fits_strike(strike):
        cells.tell("ERR_POS_020", Column.STRIKE, reason="strike_range")
    else:
        return strike
    return None


def _right(cells: RowCells, required: bool) -> Right | None:
    cell = cells.text(Column.OPTION_TYPE)
    right = None if cell is None else read_right(word(cell))
    if right is None and (cell is not None or (required and not cells.filled(Column.OPTION_TYPE))):
        cells.tell("ERR_POS_022", Column.OPTION_TYPE)
    return right


def _compare(
    cells: RowCells,
    contract: OptionContract,
    underlying: str | None,
    strike: Decimal | None,
    expiry: date | None,
    right: Right | None,
) -> None:
    """Tell every filled column that names another contract than the symbol does."""
    if underlying is not None and replace(contract, underlying=underlying).root != contract.root:
        _contradiction(cells, contract.underlying, Column.UNDERLYING, underlying)
    if strike is not None and strike != contract.strike:
        _contradiction(cells, str(contract.strike), Column.STRIKE, str(strike))
    if expiry is not None and expiry != contract.expiry:
        _contradiction(cells, str(contract.expiry), Column.EXPIRATION, str(expiry))
    if right is not None and right != contract.right:
        _contradiction(cells, _WORDS[contract.right], Column.OPTION_TYPE, _WORDS[right])


def _contradiction(cells: RowCells, first: str, column: Column, second: str) -> None:
    cells.tell(
        "ERR_POS_030",
        column,
        first_column=Column.SYMBOL.value,
        first=first,
        second_column=column.value,
        second=second,
    )


def right_word(contract: OptionContract) -> str:
    """CALL or PUT."""
    return _WORDS[contract.right]
