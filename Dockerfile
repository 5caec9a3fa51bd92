# One image for all of Carillon's own services; docker-compose.yml says what each one runs.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    CARILLON_HOME=/var/lib/carillon \
    BEAT_DIR=/tmp/carillon-beats

# A fixed number, so that volumes keep their owner from image to image.
RUN groupadd --gid 10001 carillon \
    && useradd --uid 10001 --gid carillon --no-create-home --home-dir /var/lib/carillon --shell /usr/sbin/nologin carillon \
    && install --directory --owner=carillon --group=carillon --mode=0700 /var/lib/carillon /var/lib/carillon/examples

WORKDIR /app
# First, so that a change of the code does not install everything anew. Every package comes as a wheel.
COPY requirements.txt ./
RUN pip install --only-binary=:all: --requirement requirements.txt
COPY manage.py ./
COPY scheduler_project scheduler_project
COPY jobs jobs
COPY examples examples
COPY deploy deploy

USER carillon
# The settings ask for addresses, and nothing is connected to; the key is the build's own and is not used again.
RUN DATABASE_URL=postgresql://build/none REDIS_URL=redis://build SECRET_KEY=build \
    python manage.py collectstatic --noinput

EXPOSE 8000 5555
CMD ["gunicorn", "scheduler_project.wsgi", "--bind=0.0.0.0:8000", "--threads=4", "--no-control-socket"]
