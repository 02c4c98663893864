"""The scripts for Redis, each of which Redis carries out as one step, and the reading of their answers.

All keys of a cluster have its name in braces. ``members`` is a hash: by a member's name its identity, its
beat, when it was put (milliseconds of the server's clock), its lease and the line, with spaces in between.
The lines have no expiry of Redis, so that an eviction policy for keys with an expiry does not remove them,
and a clock that jumps does not keep the lines of dead members. ``rooms`` holds the chunks, ``versions`` their
versions, ``version`` that of the list, ``epoch`` a word of the member that wrote first.

An answer of several parts is one string of netstrings (``length:bytes,``): the library reads one string at
once, and an array in one turn of the reactor for each element.
"""

from __future__ import annotations

from hashlib import sha1

#: The keys, behind the name of the cluster.
KEYS = ("members", "epoch", "rooms", "versions", "version")
#: Milliseconds until a line that ended is removed. Until then, puts that come too late are recognised.
_FORGOTTEN = 3_600_000

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
_PARTS = """
local out = {}
local function say(text)
    text = tostring(text)
    out[#out + 1] = #text .. ':' .. text .. ','
end
"""


class Script:
    """A script and its digest, by which the server knows it after the first time."""

    def __init__(self, text: str) -> None:
        self.text = text.encode("ascii")
        self.digest = sha1(self.text, usedforsecurity=False).hexdigest().encode("ascii")


#: Arguments: name, identity, beat, milliseconds of the lease, line, an epoch. An empty line is that of a
#: member that has left. Answers "put", "taken" or "late BEAT".
PUT = Script(
    _NOW
    + """
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old then
    local identity, beat, at, lease, line = string.match(old, '^(%S+) (%d+) (%d+) (%d+) (.*)$')
    if identity == ARGV[2] then
        if tonumber(beat) >= tonumber(ARGV[3]) then return 'late ' .. beat end
    elseif identity and line ~= '' and math.abs(now - at) < tonumber(lease) then
        return 'taken'
    end
end
local new = {ARGV[2], ARGV[3], string.format('%.0f', now), ARGV[4], ARGV[5]}
redis.call('HSET', KEYS[1], ARGV[1], table.concat(new, ' '))
redis.call('SETNX', KEYS[2], ARGV[6])
return 'put'
"""
)

#: Answers the epoch, the version of the room list, then names with lines.
READ = Script(
    _NOW
    + _PARTS
    + f"""
say(redis.call('GET', KEYS[2]) or '')
say(redis.call('GET', KEYS[5]) or '0')
local members = redis.call('HGETALL', KEYS[1])
for i = 1, #members, 2 do
    local at, lease, line = string.match(members[i + 1], '^%S+ %d+ (%d+) (%d+) (.*)$')
    if at and math.abs(now - at) < tonumber(lease) then
        if line ~= '' then
            say(members[i])
            say(line)
        end
    elseif not at or math.abs(now - at) > {_FORGOTTEN} then
        redis.call('HDEL', KEYS[1], members[i])
    end
end
return table.concat(out)
"""
)

#: Argument: a version. Answers the version of the list, then number, version and data of each newer chunk.
ROOMS = Script(
    _PARTS
    + """
say(redis.call('GET', KEYS[5]) or '0')
local versions = redis.call('HGETALL', KEYS[4])
for i = 1, #versions, 2 do
    if tonumber(versions[i + 1]) > tonumber(ARGV[1]) then
        say(versions[i])
        say(versions[i + 1])
        say(redis.call('HGET', KEYS[3], versions[i]) or '')
    end
end
return table.concat(out)
"""
)

#: Arguments: chunk, its version, the known version of the list, data, an epoch. Answers the new version, or
#: "conflict".
CHANGE = Script(
    """
local list = tonumber(redis.call('GET', KEYS[5]) or '0')
local version = tonumber(redis.call('HGET', KEYS[4], ARGV[1]) or '0')
if version ~= tonumber(ARGV[2]) or list < tonumber(ARGV[3]) then return 'conflict' end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[4])
local new = string.format('%.0f', list + 1)
redis.call('HSET', KEYS[4], ARGV[1], new)
redis.call('SET', KEYS[5], new)
redis.call('SETNX', KEYS[2], ARGV[5])
return new
"""
)

#: Arguments: an epoch, then number, version and data of each chunk. Answers the version of the list.
GIVE_BACK = Script(
    """
local list = tonumber(redis.call('GET', KEYS[5]) or '0')
for i = 2, #ARGV, 3 do
    if tonumber(redis.call('HGET', KEYS[4], ARGV[i]) or '0') < tonumber(ARGV[i + 1]) then
        redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 2])
        redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1])
    end
    list = math.max(list, tonumber(ARGV[i + 1]))
end
local new = string.format('%.0f', list)
redis.call('SET', KEYS[5], new)
redis.call('SETNX', KEYS[2], ARGV[1])
return new
"""
)

#: Argument: seconds. Writes a key that expires after them, and answers "OK".
TRY = Script("redis.call('SET', KEYS[1] .. ':check', '1', 'EX', ARGV[1]) return 'OK'")


def netstrings(data: bytes) -> list[bytes]:
    """The parts of an answer. Raises ValueError."""
    parts, at = [], 0
    while at < len(data):
        colon = data.index(b":", at, at + 12)
        end = colon + 1 + int(data[at:colon])
        if data[end : end + 1] != b",":
            raise ValueError("not a netstring")
        parts.append(data[colon + 1 : end])
        at = end + 1
    return parts
