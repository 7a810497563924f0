"""calculate-fibonacci in Python: the same world as ../calculate-fibonacci/wit.

The component holds a whole Python, which makes it the largest guest there is.
"""

import wit_world
from componentize_py_types import Err

N_MAX = 93
"""The last n whose Fibonacci number a u64 holds."""


class WitWorld(wit_world.WitWorld):
    def add(self, a: int, b: int) -> int:
        return (a + b + 2**31) % 2**32 - 2**31

    def calculate_fibonacci(self, n: int) -> int:
        if n > N_MAX:
            raise ValueError(f"n is {n}, and a u64 holds no number beyond F({N_MAX})")
        current, following = 0, 1
        for _ in range(n):
            current, following = following, current + following
        return current

    def calculate_fibonacci_checked(self, n: int) -> int:
        if n > N_MAX:
            raise Err(f"n is {n}, above {N_MAX}")
        return self.calculate_fibonacci(n)
