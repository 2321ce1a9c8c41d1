"""The rules of one row of the template: from its cells to a lot, or to everything that is wrong with it.

A missing class is inferred before anything is checked. Knows nothing of other rows, except what the whole
file told about its columns.
"""

from datetime import date
from decimal import Decimal

from glassfolio.imports.cells import Fault, known, read_symbol, word
from glassfolio.imports.occ import read_occ
from glassfolio.imports.rows import Row
from glassfolio.imports.sheet import RowCells, Sheet
from glassfolio.imports.template_columns import OPTION_COLUMNS, Column
from glassfolio.imports.template_option import read_contract, right_word, tell_symbol
from glassfolio.model.holdings import SUBTYPES, InvestmentClass, Lot, OptionContract, Problem

MAX_SYMBOL = 24
MAX_YEARS = 100
CASH_PREFIX = "CASH_"
_CLASSES = {member.value: member for member in InvestmentClass}

InSymbol = OptionContract | Fault | None


def read_lot(sheet: Sheet, ordinal: int, row: Row) -> tuple[Lot | None, list[Problem]]:
    """The lot of one row, or None when it has an error; with every problem of the row, in file order."""
    cells = RowCells(sheet, row)
    cell = cells.text(Column.SYMBOL)
    in_symbol = None if cell is None else read_occ(cell)
    stated = _stated_class(cells)
    investment_class = stated or _inferred_class(cells, in_symbol)
    symbol = None if in_symbol else _symbol(cells, investment_class)
    quantity, price, entry = _quantity(cells), _entry_price(cells), _entry_date(cells)
    option = _option(cells, investment_class, in_symbol)
    subtype = _subtype(cells, investment_class, stated, option)
    exit_date, exit_price = _exit(cells, entry)
    if option is not None:
        symbol = option.symbol
        _expiry(cells, option, entry)
    if cells.has_errors or symbol is None or quantity is None or price is None or entry is None:
        return None, cells.in_file_order()
    lot = Lot(
        ordinal=ordinal,
        line=row.line,
        symbol=symbol,
        quantity=quantity,
        entry_price=price,
        entry_date=entry,
        investment_class=investment_class,
        subtype=subtype,
        option=option,
        exit_date=exit_date,
        exit_price=exit_price,
        raw=row.raw,
    )
    return lot, cells.in_file_order()


def _stated_class(cells: RowCells) -> InvestmentClass | None:
    cell = cells.text(Column.CLASS)
    if cell is None:
        return None
    stated = _CLASSES.get(word(cell))
    if stated is None:
        cells.tell("ERR_POS_016", Column.CLASS)
    return stated


def _inferred_class(cells: RowCells, in_symbol: InSymbol) -> InvestmentClass:
    if in_symbol or any(cells.filled(column) for column in OPTION_COLUMNS):
        return InvestmentClass.OPTIONS
    return InvestmentClass.PRIVATE if _is_cash(cells) else InvestmentClass.PUBLIC


def _is_cash(cells: RowCells) -> bool:
    return known(cells.text(Column.SYMBOL) or "").upper().startswith(CASH_PREFIX)


def _symbol(cells: RowCells, investment_class: InvestmentClass) -> str | None:
    """The ticker in the Symbol column; an option that names its underlying may leave it empty."""
    if not cells.filled(Column.SYMBOL):
        is_named = investment_class is InvestmentClass.OPTIONS and cells.filled(Column.UNDERLYING)
        if Column.SYMBOL in cells.sheet.places and not is_named:
            cells.tell("ERR_POS_001", Column.SYMBOL)
        return None
    cell = cells.text(Column.SYMBOL)
    symbol = None if cell is None else read_symbol(cell, MAX_SYMBOL)
    if isinstance(symbol, Fault):
        tell_symbol(cells, Column.SYMBOL, symbol)
        return None
    return symbol


def _quantity(cells: RowCells) -> Decimal | None:
    quantity = cells.number(
        Column.QUANTITY, missing="ERR_POS_004", invalid="ERR_POS_005", places="ERR_POS_007"
    )
    if quantity == 0:
        cells.tell("ERR_POS_006", Column.QUANTITY)
    return quantity


def _entry_price(cells: RowCells) -> Decimal | None:
    price = cells.number(
        Column.ENTRY_PRICE, missing="ERR_POS_008", invalid="ERR_POS_009", places="ERR_POS_011"
    )
    if price is not None and price <= 0:
        cells.tell("ERR_POS_010", Column.ENTRY_PRICE)
    return price


def _entry_date(cells: RowCells) -> date | None:
    entry = cells.date(Column.ENTRY_DATE, missing="ERR_POS_012", invalid="ERR_POS_013")
    if entry is None:
        return None
    today = cells.sheet.asked.today
    if entry > today:
        cells.tell("ERR_POS_014", Column.ENTRY_DATE, today=today.isoformat())
    elif (entry.year + MAX_YEARS, entry.month, entry.day) < (today.year, today.month, today.day):
        cells.tell("ERR_POS_015", Column.ENTRY_DATE)
    elif not cells.sheet.asked.is_session(entry):
        cells.tell("WARN_POS_001", Column.ENTRY_DATE, entry=entry.isoformat())
    return entry


def _option(cells: RowCells, investment_class: InvestmentClass, in_symbol: InSymbol) -> OptionContract | None:
    if investment_class is InvestmentClass.OPTIONS:
        return read_contract(cells, in_symbol)
    described = [column for column in OPTION_COLUMNS if cells.filled(column)]
    if described or in_symbol:
        column = described[0] if described else Column.SYMBOL
        cells.tell("ERR_POS_029", column, investment_class=investment_class.value)
    return None


def _subtype(
    cells: RowCells,
    investment_class: InvestmentClass,
    stated: InvestmentClass | None,
    option: OptionContract | None,
) -> str | None:
    cell = cells.text(Column.SUBTYPE)
    if cell is None:
        if option is not None:
            return right_word(option)
        return "CASH" if stated is None and investment_class is InvestmentClass.PRIVATE else None
    subtype = word(cell)
    owners = [owner for owner, subtypes in SUBTYPES.items() if subtype in subtypes]
    is_class_unknown = stated is None and cells.filled(Column.CLASS)
    if investment_class not in owners and not (is_class_unknown and owners):
        cells.tell(
            "ERR_POS_017",
            Column.SUBTYPE,
            reason="class_of_subtype" if owners else None,
            investment_class=investment_class.value,
            allowed=", ".join(SUBTYPES[investment_class]),
            **({"classes": " or ".join(owners)} if owners else {}),
        )
    elif option is not None and subtype != right_word(option):
        cells.tell(
            "ERR_POS_030",
            Column.SUBTYPE,
            first_column=Column.OPTION_TYPE.value,
            first=right_word(option),
            second_column=Column.SUBTYPE.value,
            second=subtype,
        )
    return subtype


def _exit(cells: RowCells, entry: date | None) -> tuple[date | None, Decimal | None]:
    has_date, has_price = cells.filled(Column.EXIT_DATE), cells.filled(Column.EXIT_PRICE)
    if has_date and not has_price:
        cells.tell("ERR_POS_024", Column.EXIT_PRICE, has="date", lacks="price")
    if has_price and not has_date:
        cells.tell("ERR_POS_024", Column.EXIT_DATE, has="price", lacks="date")
    price = cells.number(Column.EXIT_PRICE, invalid="ERR_POS_025")
    if price is not None and price < 0:
        cells.tell("ERR_POS_025", Column.EXIT_PRICE)
    day = cells.date(Column.EXIT_DATE, invalid="ERR_POS_026")
    today = cells.sheet.asked.today
    if day is not None and day > today:
        cells.tell("ERR_POS_026", Column.EXIT_DATE, reason="future", today=today.isoformat())
    if day is not None and entry is not None and day < entry:
        cells.tell("ERR_POS_018", Column.EXIT_DATE)
    return day, price


def _expiry(cells: RowCells, option: OptionContract, entry: date | None) -> None:
    column = Column.EXPIRATION if cells.filled(Column.EXPIRATION) else Column.SYMBOL
    if entry is not None and option.expiry < entry:
        cells.tell("ERR_POS_028", column)
    elif option.expiry < cells.sheet.asked.today and not cells.filled(Column.EXIT_DATE):
        cells.tell("WARN_POS_002", column, expiry=option.expiry.isoformat())
