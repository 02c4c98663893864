FROM python:3.13-slim

RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 1000 --home-dir /app chatlog \
 && install -d -o chatlog -g chatlog /app /data

WORKDIR /app
COPY setup.py pyproject.toml README.md LICENSE ./
COPY chatlog chatlog
COPY twisted twisted
# Calling twistd once, as the user who can, writes its list of plugins; else every start would import
# every plugin there is.
RUN pip install --no-cache-dir . \
 && cd / && twistd --help > /dev/null \
 && rm -rf /app/build /app/*.egg-info

COPY chatlog.yaml ./
ENV CHATLOG_DIRECTORY=/data/spool CHATLOG_ARCHIVE=/data/archive AUTOBAHN_USE_NVX=0
VOLUME /data
USER chatlog
# As a list, so that twistd itself gets the signals.
CMD ["twistd", "-n", "--pidfile=", "chatlog", "--config", "chatlog.yaml"]
