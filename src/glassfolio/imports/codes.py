"""The catalogue of everything that can be wrong with a file or a portfolio form.

A code is stable for ever: its words may change, its meaning may not. Knows nothing of how a problem is
found, and nothing of HTTP.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from glassfolio.model.holdings import ACCOUNT_TYPES, Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """What a code says.

    text: one sentence; names in braces are filled from the problem's params.
    hint: what the owner can do about it.
    """

    title: str
    text: str
    hint: str
    severity: Severity = Severity.ERROR


FILE: Mapping[str, Entry] = {
    "ERR_CSV_001": Entry(
        "File too large",
        "The file is larger than {limit_mib} MiB.",
        "Remove what is not a holding, or split the file into several portfolios.",
    ),
    "ERR_CSV_002": Entry(
        "Not a kind of file we read",
        "This is {kind}; we read delimited text only.",
        "Open it in your spreadsheet program, choose “Save as CSV”, and send that file.",
    ),
    "ERR_CSV_003": Entry(
        "No data",
        "The file has no holdings: {found}.",
        "Add one line per purchase below the header line.",
    ),
    "ERR_CSV_004": Entry(
        "Required column missing",
        "The header line has no column named “{missing}”.",
        "Add the column, or take the header line from the template.",
    ),
    "ERR_CSV_005": Entry(
        "No header line",
        "None of the first {lines} lines is a header line we know.",
        "Put the template's column names above your holdings, or start from the template.",
    ),
    "ERR_CSV_006": Entry(
        "Not readable as delimited text",
        "The text cannot be read from here on.",
        "Save the file again as “CSV UTF-8”.",
    ),
    "ERR_CSV_008": Entry(
        "Too many rows",
        "The file has more than {limit} rows of holdings; this is the first one too many.",
        "Split the file into several portfolios.",
    ),
    "ERR_CSV_009": Entry(
        "Too many columns, or a cell that is too long",
        "{what} is over the limit of {limit} {unit}.",
        "Remove columns and text that do not belong to a holding.",
    ),
    "ERR_CSV_010": Entry(
        "Two columns with the same name",
        "The name of this column stands in the header line {count} times.",
        "Keep the column that is meant and rename or remove the other.",
    ),
    "ERR_CSV_011": Entry(
        "Text beyond the last column",
        "The row has something in position {position}, but the header names only {columns} columns.",
        'A number written with a comma must be quoted, as in "1,000"; an empty cell needs its own delimiter.',
    ),
    "WARN_CSV_001": Entry(
        "Unknown columns",
        "These columns are not ours and were ignored: {names}.",
        "Nothing to do, unless one of them is a misspelt column of the template.",
        Severity.WARNING,
    ),
    "WARN_CSV_002": Entry(
        "Not saved as UTF-8",
        "The file is not UTF-8 and was read as {encoding}.",
        "Look at the symbols before you continue; to be sure, save the file as “CSV UTF-8”.",
        Severity.WARNING,
    ),
}

POSITIONS: Mapping[str, Entry] = {
    "ERR_POS_001": Entry(
        "Symbol missing",
        "The row names no symbol.",
        "Fill in the ticker; only an option with an underlying symbol may leave it empty.",
    ),
    "ERR_POS_002": Entry(
        "Symbol too long",
        "The symbol has more than {limit} characters.",
        "Use the exchange's ticker, not the name of the investment.",
    ),
    "ERR_POS_003": Entry(
        "Character not allowed in a symbol",
        "The symbol has a character that no ticker has: {characters}.",
        "Type the ticker again by hand; letters copied from a page may look right and be others.",
    ),
    "ERR_POS_004": Entry(
        "Quantity missing", "The row has no quantity.", "Fill in how many; a short position is negative."
    ),
    "ERR_POS_005": Entry(
        "Quantity is not a number",
        "The quantity cannot be read as a number.",
        "Write digits with a decimal point, such as 1234.5.",
    ),
    "ERR_POS_006": Entry(
        "Quantity is zero", "A quantity of zero is not a holding.", "Fill in the quantity, or remove the row."
    ),
    "ERR_POS_007": Entry(
        "Quantity has too many decimals",
        "The quantity has more than {limit} decimals.",
        "Shorten it; nothing is rounded without you.",
    ),
    "ERR_POS_008": Entry(
        "Entry price missing",
        "The row has no entry price.",
        "Fill in what one share, or one unit of premium, cost in USD.",
    ),
    "ERR_POS_009": Entry(
        "Entry price is not a number",
        "The entry price cannot be read as a number.",
        "Write digits with a decimal point, such as 150.25.",
    ),
    "ERR_POS_010": Entry(
        "Entry price is not above zero",
        "The entry price is zero or negative.",
        "Write the price as a positive number; a short position has a negative quantity instead.",
    ),
    "ERR_POS_011": Entry(
        "Entry price has too many decimals",
        "The entry price has more than {limit} decimals.",
        "Shorten it; nothing is rounded without you.",
    ),
    "ERR_POS_012": Entry(
        "Entry date missing",
        "The row has no entry date.",
        "Fill in the day of the trade, such as 2021-03-15.",
    ),
    "ERR_POS_013": Entry(
        "Entry date is not a date",
        "The entry date cannot be read.",
        "Write it as year-month-day: 2021-03-15.",
    ),
    "ERR_POS_014": Entry(
        "Entry date in the future",
        "The entry date is after today, which is {today} at the exchange.",
        "Correct the date; only trades that have happened can be imported.",
    ),
    "ERR_POS_015": Entry(
        "Entry date too long ago",
        "The entry date is more than 100 years ago.",
        "Correct the year; it needs four digits.",
    ),
    "ERR_POS_016": Entry(
        "Investment class unknown",
        "This is not an investment class.",
        "Write PUBLIC, OPTIONS or PRIVATE, or leave the cell empty.",
    ),
    "ERR_POS_017": Entry(
        "Subtype does not belong to the class",
        "{investment_class} has no such subtype; it has {allowed}.",
        "Choose one of these, leave the cell empty, or correct the investment class.",
    ),
    "ERR_POS_018": Entry(
        "Exit before entry",
        "The exit date is before the entry date.",
        "Correct one of them; for a short position the entry is the sale.",
    ),
    "ERR_POS_019": Entry(
        "Option without underlying",
        "The row is an option and names no underlying symbol.",
        "Fill in the ticker the option is on.",
    ),
    "ERR_POS_020": Entry(
        "Strike price missing or not a number",
        "The row is an option and its strike price is missing or cannot be read.",
        "Write the strike in USD, such as 150 or 152.5.",
    ),
    "ERR_POS_021": Entry(
        "Expiration date missing or not a date",
        "The row is an option and its expiration date is missing or cannot be read.",
        "Write it as year-month-day: 2027-01-15.",
    ),
    "ERR_POS_022": Entry(
        "Option type is not CALL or PUT",
        "The row is an option and does not say whether a call or a put.",
        "Write CALL or PUT.",
    ),
    "ERR_POS_023": Entry(
        "Same row twice",
        "This row equals the one on line {first_line}; both are kept as lots.",
        "Remove one of them if it was one trade; two equal fills are fine.",
        Severity.WARNING,
    ),
    "ERR_POS_024": Entry(
        "Exit is incomplete",
        "The row has an exit {has} but no exit {lacks}.",
        "Fill in both for a closed lot, or leave both empty.",
    ),
    "ERR_POS_025": Entry(
        "Exit price is not a price",
        "The exit price is negative or cannot be read as a number.",
        "Write digits with a decimal point; 0 means that it expired worthless.",
    ),
    "ERR_POS_026": Entry(
        "Exit date is not a past date",
        "The exit date cannot be read, or is after today.",
        "Write the day of the closing trade as year-month-day: 2023-06-30.",
    ),
    "ERR_POS_027": Entry(
        "Strike price is not above zero",
        "The strike price is zero or negative.",
        "Correct the strike price.",
    ),
    "ERR_POS_028": Entry(
        "Expired before entry",
        "The option's expiration date is before the entry date.",
        "Correct one of the two dates.",
    ),
    "ERR_POS_029": Entry(
        "Option details on a row that is no option",
        "The investment class says {investment_class}, but the row also describes an option.",
        "Write OPTIONS as the class, or empty the option columns.",
    ),
    "ERR_POS_030": Entry(
        "The row describes two different options",
        "{first_column} says {first}, {second_column} says {second}.",
        "Correct one of them, or leave the option columns empty when the symbol is a full option symbol.",
    ),
    "ERR_POS_031": Entry(
        "Number too large",
        "The number has more than {limit} digits before the point.",
        "Correct the number; a cell may have swallowed its neighbour.",
    ),
    "ERR_POS_032": Entry(
        "Not in US dollars",
        "The amount is in another currency: {currency}.",
        "Write amounts in USD, without a sign or with $.",
    ),
    "ERR_POS_033": Entry(
        "Adjusted option contract",
        "“{root}” ends in a digit: the contract was adjusted and delivers something unknown to us.",
        "Leave this row out; it cannot be valued correctly.",
    ),
    "WARN_POS_001": Entry(
        "Entry on a day without trading",
        "The exchange was closed on {entry}; the lot is valued from the next trading day.",
        "Nothing to do, unless the date is a slip.",
        Severity.WARNING,
    ),
    "WARN_POS_002": Entry(
        "Expired option without exit",
        "The option expired on {expiry} and has no exit; what it was settled at is not in the file.",
        "Fill in the day and the price at which it was closed or settled (0: expired worthless).",
        Severity.WARNING,
    ),
}

FORM: Mapping[str, Entry] = {
    "ERR_PORT_001": Entry(
        "Account name taken",
        "You already have a portfolio with this account name.",
        "Choose another name, or delete the other portfolio.",
    ),
    "ERR_PORT_002": Entry("Name missing", "The portfolio has no name.", "Give it a name."),
    "ERR_PORT_003": Entry("Name too long", "The name has more than {limit} characters.", "Shorten it."),
    "ERR_PORT_004": Entry(
        "Equity missing", "The portfolio's equity is missing.", "Fill in the account's net value in USD."
    ),
    "ERR_PORT_005": Entry(
        "Equity is not a positive amount",
        "The equity is not an amount above zero.",
        "Write dollars and cents, such as 125000.00.",
    ),
    "ERR_PORT_006": Entry(
        "Equity too large",
        "The equity is above {limit} dollars.",
        "Correct the amount; it is in dollars, not in cents.",
    ),
    "ERR_PORT_007": Entry("File missing", "No holdings file was sent.", "Choose a file."),
    "ERR_PORT_008": Entry(
        "File has errors",
        "The holdings file has errors.",
        "Correct the rows that are listed and send it again.",
    ),
    "ERR_PORT_009": Entry(
        "Account type unknown",
        "This is not an account type.",
        f"Choose one of {', '.join(ACCOUNT_TYPES)}.",
    ),
    "ERR_PORT_010": Entry(
        "Account name too long", "The account name has more than {limit} characters.", "Shorten it."
    ),
    "ERR_PORT_011": Entry("Account name missing", "The account has no name.", "Give it a name."),
    "ERR_PORT_012": Entry(
        "Equity date is not a past date",
        "The day the equity belongs to cannot be read, or is in the future.",
        "Write it as year-month-day, such as 2024-06-28, or leave it empty.",
    ),
    "ERR_PORT_013": Entry(
        "Equity date before the first price",
        "There are no prices for the day the equity belongs to.",
        "Choose a later day and the net value of that day.",
    ),
    "ERR_PORT_014": Entry(
        "Description too long", "The description has more than {limit} characters.", "Shorten it."
    ),
    "WARN_PORT_001": Entry(
        "Equity date after the newest price",
        "Prices end on {newest}; the equity counts as the net value of that day.",
        "Nothing to do if the value has hardly changed since; else give that day's net value.",
        Severity.WARNING,
    ),
}

CATALOGUE: Mapping[str, Entry] = {**FILE, **POSITIONS, **FORM}

REASONS: Mapping[str, str] = {
    "nearest_column": "Rename “{nearest}” if it is meant, or take the header line from the template.",
    "undecodable": "The bytes from position {offset} are no {encoding} text; save the file as “CSV UTF-8”.",
    "nul_byte": "There is a zero byte at position {offset}; save the file as “CSV UTF-8”.",
    "unclosed_quote": "A quotation mark opens here and does not close; inside a quoted cell, double it.",
    "cell_over_4096": "A cell has more than 4,096 characters; shorten it or close its quotation mark.",
    "exponent": "A spreadsheet shortened this number; format the column as a plain number, so that all digits"
    " are there.",
    "comma": "In this file a comma groups thousands; write decimals with a point, such as 1.5.",
    "ambiguous_number": "This could be {first} or {second}, and no other number in the file tells which;"
    " write it without thousands separators and with a decimal point.",
    "places": "It may have up to {limit} decimals; nothing is rounded without you.",
    "strike_range": "A listed option's strike has up to five digits before the point and three after it.",
    "ambiguous_date": "This could be {first} or {second}, and no other date in the column tells which;"
    " write dates as year-month-day.",
    "mixed_dates": "Some dates in this column have the day first and others the month;"
    " write all of them as year-month-day.",
    "future": "The date is after today, which is {today} at the exchange.",
    "currency": "It is in {currency}; write the amount in USD.",
    "class_of_subtype": "That subtype belongs to {classes}: write this as the investment class.",
}
