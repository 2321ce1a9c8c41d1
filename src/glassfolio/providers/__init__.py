"""Where prices come from: one line for each provider.

Knows nothing of when or why prices are fetched.
"""

from collections.abc import Callable, Mapping

from glassfolio.providers.base import PriceProvider, ProviderSettings, Throttle
from glassfolio.providers.bundled import BundledProvider
from glassfolio.providers.files import FilesProvider
from glassfolio.providers.tiingo import TiingoProvider

PROVIDERS: Mapping[str, Callable[[ProviderSettings, Throttle], PriceProvider]] = {
    "bundled": BundledProvider,
    "files": FilesProvider,
    "tiingo": TiingoProvider,
}
