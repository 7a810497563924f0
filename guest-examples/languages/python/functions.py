"""Three functions, exported with the types that wit/world.wit gives them."""

import sys

import wit_world
from componentize_py_types import Err
from wit_world import Summary


class WitWorld(wit_world.WitWorld):
    def calculate_fibonacci(self, n: int) -> int:
        if n > 93:
            # The error of a result is raised.
            raise Err(f"F({n}) does not fit 64 bits; F(93) is the last that does")
        current, following = 0, 1
        for _ in range(n):
            current, following = following, current + following
        return current

    def greet(self, name: str) -> str:
        # Standard error is the log of the execution.
        print(f"greeting {name}", file=sys.stderr)
        return f"Hello, {name}!"

    def summarize(self, values: list[float]) -> Summary:
        if not values:
            raise Err("no values")
        return Summary(count=len(values), mean=sum(values) / len(values), min=min(values), max=max(values))
