#!/usr/bin/env python3
"""Tests of how tools/hot_syscalls.py and tools/instructions.py judge, on traces and counts made up."""

import unittest

import hot_syscalls
import instructions


def trace(*calls):
    """Lines of strace, well after the warm-up."""
    lines = ["1.000000 epoll_wait(3, [], 16, 0) = 0"]
    return lines + [f"{100 + n}.000000 {call}" for n, call in enumerate(calls)]


READ = 'recvfrom(9, ""..., 4096, 0, NULL, NULL) = 142'
NOTHING = 'recvfrom(9, "", 4096, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)'
WRITE = 'sendto(9, ""..., 469, MSG_NOSIGNAL, NULL, 0) = 469'
POLL = "epoll_wait(3, [], 16, 0) = 0"


class SystemCalls(unittest.TestCase):
    def judge(self, *calls):
        ways, between = hot_syscalls.judge(trace(*calls))
        return ways, dict(between)

    def test_a_read_and_its_writes_have_nothing_between_them(self):
        self.assertEqual(self.judge(POLL, READ, WRITE, WRITE, NOTHING, POLL), (2, {}))

    def test_what_lies_between_is_found(self):
        self.assertEqual(self.judge(READ, "getpid() = 7", WRITE, "futex(0x1, 0) = 0", WRITE), (2, {"getpid": 1, "futex": 1}))

    def test_what_no_write_follows_is_nobodys_business(self):
        self.assertEqual(self.judge(READ, NOTHING, "setsockopt(9, 6, 12, [1], 4) = 0", POLL), (0, {}))

    def test_a_write_that_no_read_caused_is_none(self):
        self.assertEqual(self.judge(POLL, WRITE), (0, {}))

    def test_the_first_seconds_do_not_count(self):
        ways, between = hot_syscalls.judge([f"1.{n}00000 {call}" for n, call in enumerate([READ, "getpid() = 7", WRITE])])
        self.assertEqual((ways, between), (0, {}))


class Instructions(unittest.TestCase):
    def test_more_than_a_tenth_is_too_much(self):
        _, worse = instructions.judge({"a": 1000, "b": 1000}, {"a": 1100, "b": 1101})
        self.assertEqual(len(worse), 1)
        self.assertIn("b takes 1101 instructions", worse[0])

    def test_what_has_become_cheaper_is_told(self):
        lines, worse = instructions.judge({"a": 1000}, {"a": 899})
        self.assertEqual(worse, [])
        self.assertIn("ARGS=--accept", lines[-1])

    def test_a_function_without_a_baseline_is_new(self):
        lines, worse = instructions.judge({}, {"a": 5})
        self.assertEqual((worse, lines[-1].split()), ([], ["a", "-", "5", "new"]))


if __name__ == "__main__":
    unittest.main()
