"""The twelve columns of our template, and the file an owner can download to fill in.

Knows nothing of how a row is checked.
"""

import csv
import io
from enum import StrEnum


class Column(StrEnum):
    """A column by its name in the header line."""

    __hash__ = str.__hash__

    SYMBOL = "Symbol"
    QUANTITY = "Quantity"
    ENTRY_PRICE = "Entry Price Per Share"
    ENTRY_DATE = "Entry Date"
    CLASS = "Investment Class"
    SUBTYPE = "Investment Subtype"
    UNDERLYING = "Underlying Symbol"
    STRIKE = "Strike Price"
    EXPIRATION = "Expiration Date"
    OPTION_TYPE = "Option Type"
    EXIT_DATE = "Exit Date"
    EXIT_PRICE = "Exit Price Per Share"


REQUIRED = (Column.SYMBOL, Column.QUANTITY, Column.ENTRY_PRICE, Column.ENTRY_DATE)
OPTION_COLUMNS = (Column.UNDERLYING, Column.STRIKE, Column.EXPIRATION, Column.OPTION_TYPE)
NUMBERS = (Column.QUANTITY, Column.ENTRY_PRICE, Column.STRIKE, Column.EXIT_PRICE)
DATES = (Column.ENTRY_DATE, Column.EXPIRATION, Column.EXIT_DATE)

_GUIDE = """\
# Holdings template. Lines that begin with # are notes and are skipped; keep the line of column names.
# One line per purchase or short sale. The same symbol may stand on any number of lines.
#
# Symbol                 ticker, such as AAPL or BRK-B; a full option symbol; CASH_USD for cash
# Quantity               shares or contracts; negative for a short position
# Entry Price Per Share  USD per share, or per unit of premium for an option
# Entry Date             year-month-day, such as 2021-03-15; not in the future
# Investment Class       PUBLIC, OPTIONS or PRIVATE; may be left empty
# Investment Subtype     PUBLIC: STOCK ETF MUTUAL_FUND BOND CASH; OPTIONS: CALL PUT;
#                        PRIVATE: PRIVATE_EQUITY VENTURE_CAPITAL HEDGE_FUND PRIVATE_REIT REAL_ESTATE
#                        CRYPTOCURRENCY CRYPTO ART MONEY_MARKET TREASURY_BILLS CASH COMMODITY OTHER
# Underlying Symbol      options only: the ticker the option is on
# Strike Price           options only: in USD
# Expiration Date        options only: year-month-day
# Option Type            options only: CALL or PUT
# Exit Date              for a closed lot, together with the exit price
# Exit Price Per Share   0 for an option that expired worthless
#
# Numbers have a decimal point and no thousands separators.
# The lines below the column names are examples: replace them.
"""

_EXAMPLES = (
    ("AAPL", "100", "150.25", "2022-03-15", "PUBLIC", "STOCK"),
    ("AAPL", "25", "171.50", "2022-08-12", "PUBLIC", "STOCK"),
    ("VTI", "40.125", "201.37", "2022-01-10", "PUBLIC", "ETF"),
    ("TSLA", "-10", "265.40", "2022-09-14", "PUBLIC", "STOCK", "", "", "", "", "2022-12-16", "150.23"),
    ("MSFT221216C00250000", "2", "9.35", "2022-10-03", "", "", "", "", "", "", "2022-11-30", "8.10"),
    ("", "-1", "4.20", "2022-10-03", "OPTIONS", "PUT", "SPY", "350", "2022-12-16", "PUT", "2022-12-16", "0"),
    ("CASH_USD", "5000", "1", "2022-01-03", "", ""),
    ("OAKFUND", "10", "2500", "2021-06-01", "PRIVATE", "PRIVATE_REIT"),
)


def template_csv() -> str:
    """The template with notes on every column and a few invented example rows; lines end with CRLF."""
    out = io.StringIO()
    out.write(_GUIDE.replace("\n", "\r\n"))
    writer = csv.writer(out)
    writer.writerow(Column)
    writer.writerows((*row, *[""] * (len(Column) - len(row))) for row in _EXAMPLES)
    return out.getvalue()
