"""What the time of an answer gives away: interleaved pairs of questions over loopback HTTP."""

import http.client
import random
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from scipy.stats import mannwhitneyu

Address = tuple[str, str]
WARM = 200


def advantage(
    url: str, token: str, ones: Sequence[Address], others: Sequence[Address], pairs: int, seed: int
) -> float:
    """The chance that an answer to one of `ones` took longer than one to `others`; 0.5 is no advantage.

    ones, others: methods and paths, chosen anew for every question. Within a pair the order is a coin's.
    """
    chance = random.Random(seed)
    taken: tuple[list[float], list[float]] = ([], [])
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    headers = {"Authorization": f"Bearer {token}"}
    for number in range(pairs + WARM):
        sides = [0, 1] if chance.random() < 0.5 else [1, 0]
        for side in sides:
            method, path = chance.choice((ones, others)[side])
            began = time.perf_counter()
            connection.request(method, path, headers=headers)
            connection.getresponse().read()
            if number >= WARM:
                taken[side].append(time.perf_counter() - began)
    connection.close()
    statistic = mannwhitneyu(taken[0], taken[1]).statistic
    return float(statistic) / (len(taken[0]) * len(taken[1]))
