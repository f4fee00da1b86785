FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY daemon daemon
COPY handlers handlers
RUN python -m venv /opt/ondeckd \
 && /opt/ondeckd/bin/pip install --no-cache-dir --constraint requirements.lock .

FROM python:3.13-slim
COPY --from=build /opt/ondeckd /opt/ondeckd
ENV PATH=/opt/ondeckd/bin:$PATH \
    STATE_DIRECTORY=/var/lib/ondeckd
# Mount the configuration at /etc/ondeckd and each mapping's roots at the paths that it names. The web server listens
# on the container's own loopback until web.listen says otherwise, which needs web.password_hash.
VOLUME /var/lib/ondeckd
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5757/healthz', timeout=5)"]
CMD ["ondeckd", "--config", "/etc/ondeckd/config.toml", "run"]
