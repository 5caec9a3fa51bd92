"""Tell the workers to stop a run at once, as far as the broker can be reached."""

import logging
from uuid import UUID

from celery import current_app

from jobs.broker import TIMEOUTS, UNREACHABLE

logger = logging.getLogger(__name__)


class Revoker:
    """Asks the workers to kill a run; `away` says why they could not be asked.

    A broker that did not answer is not asked again, so that a long list of runs costs one wait.
    """

    def __init__(self) -> None:
        self.away = ""

    def __call__(self, run_id: UUID) -> None:
        if self.away:
            return
        try:
            self._send(run_id)
        except UNREACHABLE as error:
            self.away = str(error) or type(error).__name__
            logger.warning("the broker is away, run %s is cancelled in the ledger only: %s", run_id, self.away)

    @staticmethod
    def _send(run_id: UUID) -> None:
        # Celery's pooled connection would wait for a broker that is away, and with it the page.
        options = {**current_app.conf.broker_transport_options, **TIMEOUTS, "max_retries": 0}
        with current_app.connection_for_write(transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
            current_app.control.revoke(str(run_id), terminate=True, connection=connection)
