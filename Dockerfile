FROM python:3.13-slim

RUN useradd --system --uid 1000 --home-dir /app chatlog \
 && install -d -o chatlog -g chatlog /app /data

WORKDIR /app
# The pins first: they change less often than the code.
COPY requirements requirements
RUN pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY setup.py pyproject.toml README.md LICENSE ./
COPY chatlog chatlog
COPY twisted twisted
# Calling twistd once, as the user who can, writes its list of plugins; else every start would import
# every plugin there is.
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
 && cd / && twistd --help > /dev/null \
 && rm -rf /app/build /app/*.egg-info

# And a configuration of your own, if there is one: a pattern may match nothing.
COPY chatlog.yaml chatlog.local.yam[l] ./
# The archive's server would listen where nobody outside of the container reaches it.
ENV CHATLOG_DIRECTORY=/data/spool CHATLOG_ARCHIVE=/data/archive CHATLOG_ARCHIVE_LISTEN= AUTOBAHN_USE_NVX=0
VOLUME /data
USER chatlog
# As a list, so that twistd itself gets the signals.
CMD ["twistd", "-n", "--pidfile=", "chatlog", "--config", "chatlog.yaml"]
