#!/usr/bin/env python3
"""Writes a table of 100,000 invented sales as CSV, the same one every time.

usage: generate.py OUT.csv

Only Random.random() is used: of the generators in Python's library it is the
one whose sequence for a seed is promised to stay the same.
"""

import datetime
import os
import random
import sys

ROWS = 100_000
SEED = 20_260_801
FIRST_DAY = datetime.date(2025, 1, 1)
# The host's default bound for parameters must take it with room to spare.
SIZE_MAX_BYTES = 6 * 1024 * 1024

# Name, share of the orders, delivery in days at best.
REGIONS = [
    ("north", 0.22, 2),
    ("south", 0.18, 3),
    ("east", 0.25, 1),
    ("west", 0.20, 2),
    ("islands", 0.15, 6),
]
# Name, share of the orders, usual price, usual number of pieces.
PRODUCTS = [
    ("anvil", 0.05, 189.00, 1),
    ("bucket", 0.15, 12.50, 4),
    ("chisel", 0.12, 18.90, 3),
    ("drill", 0.10, 74.00, 1),
    ("file", 0.13, 8.40, 5),
    ("hammer", 0.17, 21.75, 2),
    ("level", 0.08, 33.20, 1),
    ("nails", 0.20, 4.95, 12),
]
DISCOUNTS = [("0", 0.70), ("0.05", 0.15), ("0.1", 0.10), ("0.25", 0.05)]


def pick(source, choices):
    """One of the choices, by its share, which is its second member."""
    point = source.random()
    for choice in choices:
        point -= choice[1]
        if point < 0:
            return choice
    return choices[-1]


def row(source, number):
    region, _, days_min = pick(source, REGIONS)
    product, _, price, pieces = pick(source, PRODUCTS)
    discount, _ = pick(source, DISCOUNTS)
    # The square leans towards small orders, with a long tail of large ones.
    quantity = 1 + int(pieces * 3 * source.random() ** 2)
    unit_price = price * (0.85 + 0.30 * source.random())
    days = days_min + int(6 * source.random() ** 3)
    # A year of orders, in order.
    date = FIRST_DAY + datetime.timedelta(days=(number - 1) * 365 // ROWS)
    return f"{number},{date},{region},{product},{quantity},{unit_price:.2f},{discount},{days}\n"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: generate.py OUT.csv")
    out = sys.argv[1]
    source = random.Random(SEED)
    lines = ["id,date,region,product,quantity,unit_price,discount,delivery_days\n"]
    lines.extend(row(source, number) for number in range(1, ROWS + 1))
    text = "".join(lines)
    if len(text) > SIZE_MAX_BYTES:
        sys.exit(f"generate.py: {len(text)} bytes are more than {SIZE_MAX_BYTES}")
    # Renamed into place: nobody reads half a table.
    temporary = out + ".tmp"
    with open(temporary, "w", encoding="ascii", newline="") as file:
        file.write(text)
    os.replace(temporary, out)


if __name__ == "__main__":
    main()
