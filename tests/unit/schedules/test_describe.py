"""Every form in English; what is said is true also where the short way to say it would not be."""

import pytest

from jobs.schedules import parse

TABLE = {
    # Times.
    "* * * * *": "Every minute",
    "* * * * * *": "Every second",
    "*/10 * * * * *": "Every 10 seconds",
    "0,30 * * * * *": "Every 30 seconds",
    "30 * * * * *": "At second 30 of every minute",
    "* 30 * * * *": "Every second of minute 30 of every hour",
    "* * 2 * * *": "Every second from 02:00 to 02:59",
    "30 * 2 * * *": "At second 30 of every minute from 02:00 to 02:59",
    "10 */5 * * * *": "At second 10 of every 5 minutes",
    "* 0-30 * * * *": "Every second of minutes 0 to 30 of every hour",
    "*/5 * * * *": "Every 5 minutes",
    "*/7 * * * *": "Every 7th minute from 0 to 56",
    "5/15 * * * *": "At minutes 5, 20, 35 and 50 of every hour",
    "10-20 * * * *": "At minutes 10 to 20 of every hour",
    "*/5 9-17 * * *": "Every 5 minutes from 09:00 to 17:59",
    "* 2 * * *": "Every minute from 02:00 to 02:59",
    "*/5 0,2,5 * * *": "Every 5 minutes in hours 0, 2 and 5",
    "*/15 */7 2-4 * * *": "Every 15 seconds of every 7th minute from 0 to 56, from 02:00 to 04:59",
    "0 * * * *": "Every hour",
    "30 * * * *": "Every hour at minute 30",
    "15 30 * * * *": "Every hour at minute 30, second 15",
    "0 */2 * * *": "Every 2 hours",
    "30 */2 * * *": "Every 2 hours from 00:30 to 22:30",
    "0 */5 * * *": "At 00:00, 05:00, 10:00, 15:00 and 20:00 every day",
    "0 9-17 * * *": "Every hour from 09:00 to 17:00",
    "0 1,3,9,10,14,15,22 * * *": "At 01:00, 03:00, 09:00, 10:00, 14:00, 15:00 and 22:00 every day",
    "0 2 * * *": "At 02:00 every day",
    "15,45 2 * * *": "At 02:15 and 02:45 every day",
    "30 0 2 * * *": "At 02:00:30 every day",
    # Days.
    "0 0 * * 7": "At 00:00 on Sunday",
    "0 0 * * 1-5": "At 00:00 on Monday to Friday",
    "0 0 * * 5-7": "At 00:00 on Friday to Sunday",
    "0 0 * * SAT-SUN": "At 00:00 on Saturday and Sunday",
    "0 0 * * 1/2": "At 00:00 on Monday, Wednesday, Friday and Sunday",
    "0 0 * * 0-6": "At 00:00 every day",
    "0 0 * * MON#2": "At 00:00 on the second Monday of the month",
    "0 0 * * 5L,1": "At 00:00 on Monday and the last Friday of the month",
    "0 0 1 * *": "At 00:00 on day 1 of the month",
    "0 0 1,10-12 * *": "At 00:00 on days 1, 10, 11 and 12 of the month",
    "0 0 10-20 * ?": "At 00:00 on days 10 to 20 of the month",
    "0 0 L * *": "At 00:00 on the last day of the month",
    "0 0 L-1 * *": "At 00:00 on the day 1 day before the last of the month",
    "0 0 L-3 * ?": "At 00:00 on the day 3 days before the last of the month",
    "0 0 LW * ?": "At 00:00 on the last workday (Monday to Friday) of the month",
    "0 0 15W * *": "At 00:00 on the workday (Monday to Friday) nearest to day 15 of the month",
    "0 0 L-3W * ?": "At 00:00 on the workday (Monday to Friday) nearest to the day 3 days before the last of the month",
    "0 0 1,L * *": "At 00:00 on day 1 and the last day of the month",
    "0 0 13 * 5": "At 00:00 on day 13 of the month, and also on Friday",
    "0 0 1 6 MON": "At 00:00 on day 1 of the month, and also on Monday, in June",
    "0 0 */2 * 1": "At 00:00 on every 2nd day from 1 to 31 of the month if that is Monday",
    "0 0 1-31 * MON": "At 00:00 every day",
    # Months and years.
    "0 0 1 1 *": "At 00:00 on day 1 of the month in January",
    "0 0 * 6-8 *": "At 00:00 every day from June to August",
    "*/5 * * 1,7 *": "Every 5 minutes in January and July",
    "0 0 0 1 1 ? 2027": "At 00:00 on day 1 of the month in January in the year 2027",
    "0 0 0 1 1 ? 2027-2030": "At 00:00 on day 1 of the month in January in the years 2027 to 2030",
    "0 0 0 1 1 ? 2028/4": "At 00:00 on day 1 of the month in January in every 4th year from 2028 to 2196",
    # The other forms. A hashed time is told as what it stands for.
    "H 2 * * *": "At 02:09 every day",
    "H/15 * * * *": "At minutes 9, 24, 39 and 54 of every hour",
    "@hourly": "Every hour",
    "@daily": "At 00:00 every day",
    "@weekly": "At 00:00 on Sunday",
    "@monthly": "At 00:00 on day 1 of the month",
    "@yearly": "At 00:00 on day 1 of the month in January",
    "@every 1s": "Every second",
    "@every 5m": "Every 5 minutes",
    "@every 90m": "Every 1 hour 30 minutes",
    "@every 1w": "Every week",
    "@every 8d": "Every 8 days",
    "@at 2027-01-01T09:00": "Once, on 2027-01-01 at 09:00",
    "@at 2027-01-01T09:00:30+02:00": "Once, on 2027-01-01 at 09:00:30 (UTC+02:00)",
    "@at 2027-01-01T09:00Z": "Once, on 2027-01-01 at 09:00 (UTC)",
}


@pytest.mark.parametrize(("text", "words"), TABLE.items(), ids=list(TABLE))
def test_words(text: str, words: str) -> None:
    assert parse(text, "Europe/Riga", key="backup").describe() == words
