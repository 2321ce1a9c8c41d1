"""Ways to break a rule of the template: what to change in a good row, and what must be told."""

from collections.abc import Mapping
from typing import NamedTuple

from tests.imports.build import OCC, OPTION, STOCK


class Fault(NamedTuple):
    """A changed row, and the one code and column it must yield."""

    base: Mapping[str, str]
    changes: Mapping[str, str]
    code: str
    column: str

    @property
    def row(self) -> dict[str, str]:
        """The row as it stands in the file."""
        return {**self.base, **self.changes}


def _one(base: Mapping[str, str], code: str, column: str, *texts: str) -> list[Fault]:
    return [Fault(base, {column: text}, code, column) for text in texts]


SYMBOL, QUANTITY, PRICE, DATE = "Symbol", "Quantity", "Entry Price Per Share", "Entry Date"
CLASS, SUBTYPE, UNDERLYING = "Investment Class", "Investment Subtype", "Underlying Symbol"
STRIKE, EXPIRY, TYPE = "Strike Price", "Expiration Date", "Option Type"
EXIT_DATE, EXIT_PRICE = "Exit Date", "Exit Price Per Share"
EXITED = {**STOCK, EXIT_DATE: "2022-03-15", EXIT_PRICE: "160"}

FAULTS: tuple[Fault, ...] = (
    *_one(STOCK, "ERR_POS_001", SYMBOL, "", "  ", "-", "--", "n/a", "NULL", "\u00a0"),
    *_one(STOCK, "ERR_POS_002", SYMBOL, "A" * 25),
    *_one(STOCK, "ERR_POS_003", SYMBOL, "ΑAPL", "A\u200bAPL", "\u202eAAPL", "ＡＡＰＬ", "=1+1", "ıbm", "ſpy"),
    *_one(
        STOCK, "ERR_POS_003", SYMBOL, "<img src=x onerror=alert(1)>", "AAPL\u00a0", "AA PL", "@SUM", "^GSPC"
    ),
    *_one(STOCK, "ERR_POS_004", QUANTITY, "", "-", "N/A"),
    *_one(
        STOCK,
        "ERR_POS_005",
        QUANTITY,
        "ten",
        "NaN",
        "inf",
        "-Infinity",
        "sNaN",
        "1_000",
        "١٢",
        "1,5",
        "1E+07",
    ),
    *_one(STOCK, "ERR_POS_005", QUANTITY, "1e999999", "1.2.3", "1,00", "--5", "(5", "0x10", "12,34,567"),
    *_one(STOCK, "ERR_POS_006", QUANTITY, "0", "0.000", "-0"),
    *_one(STOCK, "ERR_POS_007", QUANTITY, "0.123456789", "1." + "1" * 30),
    *_one(STOCK, "ERR_POS_008", PRICE, "", "--"),
    *_one(STOCK, "ERR_POS_009", PRICE, "free", "NaN", "1e5"),
    *_one(STOCK, "ERR_POS_010", PRICE, "0", "-1", "(12.50)"),
    *_one(STOCK, "ERR_POS_011", PRICE, "1.123456789"),
    *_one(STOCK, "ERR_POS_012", DATE, "", "null"),
    *_one(
        STOCK, "ERR_POS_013", DATE, "yesterday", "2021-02-30", "03/04/2021", "15/03/21", "٢٠٢١-٠٣-١٥", "44270"
    ),
    *_one(STOCK, "ERR_POS_014", DATE, "2024-06-29", "20991231"),
    *_one(STOCK, "ERR_POS_015", DATE, "1924-06-27", "0021-03-15"),
    *_one(STOCK, "ERR_POS_016", CLASS, "STOCKS", "PUB", "0"),
    *_one(STOCK, "ERR_POS_017", SUBTYPE, "CRYPTO", "CALL", "SHARES"),
    *_one(EXITED, "ERR_POS_018", EXIT_DATE, "2021-03-12"),
    *_one({**OPTION, SYMBOL: "AAPL"}, "ERR_POS_019", UNDERLYING, "", "n/a"),
    *_one(OPTION, "ERR_POS_020", STRIKE, "", "high", "NaN", "150.12345", "1234567"),
    *_one(OPTION, "ERR_POS_021", EXPIRY, "", "never", "2027-02-30"),
    *_one(OPTION, "ERR_POS_022", TYPE, "", "BOTH", "1"),
    Fault(STOCK, {EXIT_DATE: "2022-03-15"}, "ERR_POS_024", EXIT_PRICE),
    Fault(STOCK, {EXIT_PRICE: "160"}, "ERR_POS_024", EXIT_DATE),
    *_one(EXITED, "ERR_POS_025", EXIT_PRICE, "-5", "free", "1.123456789", "1E2"),
    *_one(EXITED, "ERR_POS_026", EXIT_DATE, "never", "2024-06-29", "2030-01-02"),
    *_one(OPTION, "ERR_POS_027", STRIKE, "0", "-500"),
    *_one(OPTION, "ERR_POS_028", EXPIRY, "2024-01-15"),
    Fault(STOCK, {CLASS: "PUBLIC", STRIKE: "150"}, "ERR_POS_029", STRIKE),
    Fault(STOCK, {CLASS: "PRIVATE", TYPE: "CALL"}, "ERR_POS_029", TYPE),
    Fault(OCC, {CLASS: "PUBLIC"}, "ERR_POS_029", SYMBOL),
    *_one(OCC, "ERR_POS_030", TYPE, "PUT"),
    *_one(OCC, "ERR_POS_030", STRIKE, "151"),
    *_one(OCC, "ERR_POS_030", EXPIRY, "2027-01-16"),
    *_one(OCC, "ERR_POS_030", UNDERLYING, "MSFT"),
    *_one(OCC, "ERR_POS_030", SUBTYPE, "PUT"),
    *_one(STOCK, "ERR_POS_031", QUANTITY, "1234567890123456", "1,234,567,890,123,456"),
    *_one(STOCK, "ERR_POS_031", PRICE, "1234567890123456.5"),
    *_one(STOCK, "ERR_POS_032", PRICE, "€150", "150 EUR", "CHF 1,500.00", "C$12", "-£5", "¥ 300"),
    *_one(OCC, "ERR_POS_033", SYMBOL, "AAPL1270115C00150000", "AAPL1 270115C00150000"),
    *_one(OPTION, "ERR_POS_033", UNDERLYING, "AAPL1"),
    *_one(OCC, "ERR_POS_021", SYMBOL, "AAPL271315C00150000"),
    *_one(OCC, "ERR_POS_027", SYMBOL, "AAPL270115C00000000"),
    *_one(OPTION, "ERR_POS_002", UNDERLYING, "ABCDEFGHIJ"),
    *_one(OPTION, "ERR_POS_003", UNDERLYING, "AÄPL"),
    *_one(STOCK, "ERR_CSV_009", QUANTITY, "1" * 257),
    *_one(STOCK, "ERR_CSV_009", SYMBOL, "A" * 257),
    *_one(STOCK, "ERR_CSV_006", PRICE, "1" * 4097),
    *_one(STOCK, "WARN_POS_001", DATE, "2021-03-14"),
    *_one(OPTION, "WARN_POS_002", EXPIRY, "2024-06-27"),
    *_one(OCC, "WARN_POS_002", SYMBOL, "AAPL240621C00150000"),
)
