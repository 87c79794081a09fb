# The production image: Callgate and what requirements.lock names, without the embedded servers.
FROM python:3.13-slim-trixie AS build

# For those who fetch packages from a mirror: docker build --build-arg PIP_INDEX_URL=…
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore

RUN python3 -m venv --without-pip /opt/callgate
COPY requirements.lock /tmp/
RUN python3 -m pip --python /opt/callgate/bin/python install --require-hashes --only-binary :all: -r /tmp/requirements.lock
COPY app /opt/callgate/src/app
COPY migrations /opt/callgate/src/migrations
# Compiled here, since the root file system of a running container is read-only.
RUN python3 -m compileall -q -j 0 /opt/callgate/src \
 && printf '#!/bin/sh\nexec /opt/callgate/bin/python -P -m app.cli "$@"\n' >/opt/callgate/bin/callgate \
 && chmod 755 /opt/callgate/bin/callgate

FROM python:3.13-slim-trixie

RUN groupadd --system --gid 10001 callgate \
 && useradd --system --uid 10001 --gid callgate --home-dir /tmp --no-create-home --shell /usr/sbin/nologin callgate \
 && install -d -o callgate -g callgate -m 700 /var/lib/callgate/keys
COPY --from=build /opt/callgate /opt/callgate

ENV PATH=/opt/callgate/bin:$PATH PYTHONPATH=/opt/callgate/src PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp CALLGATE_HOST=0.0.0.0 CALLGATE_PORT=8000
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/readyz' % os.environ['CALLGATE_PORT'], timeout=3)"]
ENTRYPOINT ["callgate"]
CMD ["serve"]
