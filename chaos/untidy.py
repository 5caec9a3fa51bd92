"""The part of the zoo that ends well and leaves its process changed."""

import asyncio
import contextlib
import decimal
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Never

from django.db import connection, transaction
from django.utils import timezone

from chaos.zoo import KEPT, creature, left_in_context


@creature
def working_directory() -> None:
    os.chdir(tempfile.gettempdir())


@creature
def removed_working_directory() -> None:
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    Path(folder).rmdir()


@creature
def environment() -> None:
    os.environ.update(ZOO="escaped", PATH="/nowhere", TZ="Asia/Tokyo")
    time.tzset()


@creature
def locale_and_umask() -> None:
    other = "C" if locale.setlocale(locale.LC_CTYPE) != "C" else "C.UTF-8"
    locale.setlocale(locale.LC_ALL, other)
    os.umask(0o777)


@creature
def signal_handlers() -> None:
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2})


@creature
def alarm() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.3)


@creature
def interpreter() -> None:
    socket.setdefaulttimeout(0.001)
    sys.setrecursionlimit(150)
    gc.disable()
    logging.disable(logging.CRITICAL)
    logging.root.handlers.clear()
    decimal.getcontext().prec = 2
    left_in_context.set("something")
    timezone.activate("Asia/Tokyo")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (20, most))


@creature
def event_loop() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.close()


@creature
def event_loop_policy() -> None:
    class Nothing(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> Never:
            raise RuntimeError("no loops here")

    asyncio.set_event_loop_policy(Nothing())


@creature
def running_event_loop() -> None:
    asyncio._set_running_loop(asyncio.new_event_loop())


@creature
def standard_streams() -> None:
    sys.stdout.close()
    sys.stderr.close()
    sys.stdout = None


@creature
def standard_descriptors() -> None:
    os.closerange(0, 3)
    KEPT.append(os.open(os.devnull, os.O_RDONLY))


@creature
def closed_connection() -> None:
    connection.ensure_connection()
    connection.connection.close()


@creature
def lost_connection() -> None:
    connection.ensure_connection()
    os.close(connection.connection.fileno())


@creature
def ended_backend() -> None:
    with contextlib.suppress(Exception), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@creature
def no_autocommit() -> None:
    connection.set_autocommit(False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@creature
def open_transaction() -> None:
    transaction.atomic().__enter__()
    transaction.atomic().__enter__()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET description = 'not to be seen'")


@creature
def aborted_transaction() -> None:
    transaction.atomic().__enter__()
    with contextlib.suppress(Exception), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


@creature
def connection_closed_in_a_transaction() -> None:
    transaction.atomic().__enter__()
    connection.close()


@creature
def session_settings() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '1ms'")
        cursor.execute("SET search_path = nowhere")


@creature
def session_of_a_driver_s_cursor() -> None:
    """Not seen by Django, so it is found only when the next statement fails."""
    connection.ensure_connection()
    with connection.connection.cursor() as cursor:
        cursor.execute("SET search_path = nowhere")


@creature
def read_only_session() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")


@creature
def grandchild_that_outlives_it() -> None:
    if os.fork() == 0:
        time.sleep(3)
        os._exit(0)


@creature
def grandchild_that_returns() -> None:
    os.fork()


@creature
def grandchild_that_exits() -> int:
    child = os.fork()
    if child == 0:
        sys.exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@creature
def thread_left_behind() -> None:
    threading.Thread(target=time.sleep, args=[5], name="the straggler").start()
