from __future__ import annotations

import gc
from contextlib import suppress

from trpo_repro.memory import without_garbage_search


def test_garbage_is_searched_for_again_after_an_import_even_one_that_fails() -> None:
    with without_garbage_search():
        assert not gc.isenabled()
    assert gc.isenabled()
    with suppress(ImportError), without_garbage_search():
        raise ImportError
    assert gc.isenabled()
