"""A world's certificates are made once, whoever asks first."""

from __future__ import annotations

import threading

from postroom_simulator.net.tls import Authority


def test_two_threads_that_ask_at_once_get_the_same_authority() -> None:
    for _ in range(20):
        authority = Authority("mail.sim.test")
        barrier = threading.Barrier(2)
        found: list[bytes] = []

        def ask(authority: Authority = authority, barrier: threading.Barrier = barrier, found: list[bytes] = found) -> None:
            barrier.wait(10)
            found.append(authority.pem())

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(found) == 2
        assert found[0] == found[1]
