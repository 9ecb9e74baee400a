# Two stages: the compiler that hnswlib needs stays in the first one.
FROM python:3.12-slim AS build

# hnswlib would otherwise be compiled for the processor of the machine that builds, and crash on an older one.
# `--build-arg HNSWLIB_NO_NATIVE=` builds for this machine's own processor, for more speed there.
ARG HNSWLIB_NO_NATIVE=1
ENV HNSWLIB_NO_NATIVE=${HNSWLIB_NO_NATIVE} PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install --requirement requirements.txt


FROM python:3.12-slim

ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    LAKEHOUSE_DATA_DIR=/data LAKEHOUSE_BIND=0.0.0.0:8000
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin lakehouse \
    && install --directory --owner=lakehouse --group=lakehouse --mode=0700 /data
WORKDIR /srv/lakehouse
COPY --from=build /opt/venv /opt/venv
COPY manage.py ./
COPY lakehouse_site lakehouse_site
COPY vectors vectors
COPY catalog catalog
COPY distillation distillation
COPY drift drift
COPY demo demo

USER lakehouse
VOLUME /data
EXPOSE 8000
# Not through urllib: it would ask a proxy of the environment.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=3); c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"]
# SIGTERM ends it in good order: requests are answered, changed indexes are saved.
CMD ["python", "manage.py", "serve"]
