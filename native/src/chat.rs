//! A line of Twitch's chat as a record.

use crate::{json, time};

/// The most bytes of a line, as in `chatlog/twitch/lines.py`.
const LONGEST: usize = 65_536;
/// The most tags. Twitch sends about twenty.
const MOST_TAGS: usize = 128;
/// Chatlog's own keys in `details`, which a tag must not hide.
const OWN_DETAILS: [&str; 5] = ["command", "params", "source", "raw", "raw_base64"];
/// What comes between the login and the channel.
const PRIVMSG: &str = ".tmi.twitch.tv PRIVMSG #";

/// Which keys a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All eleven.
    Full,
    /// The first five.
    Basic,
}

/// The channel and the record of an ordinary chat message; `None` for whatever else, or else written.
pub fn chat_record<'line>(
    line: &'line [u8],
    received: &str,
    detail: Detail,
) -> Option<(&'line str, Vec<u8>)> {
    if line.len() > LONGEST || !time::is_usual(received) {
        return None;
    }
    let (tags, rest) = std::str::from_utf8(line).ok()?.strip_prefix('@')?.split_once(' ')?;
    let said = Said::read(rest)?;
    let tags = Tags::read(tags)?;
    let mut record = Vec::with_capacity(line.len() * 3 / 2 + 384);
    record.extend_from_slice(b"{\"timestamp\":\"");
    let start = record.len();
    time::push(&mut record, tags.sent);
    // Of a year that is not this one Python decides whether it is believed.
    if record.get(start..start + 4)? != received.as_bytes().get(..4)? {
        return None;
    }
    let mut push = |key: &str, value: &[u8]| {
        record.extend_from_slice(key.as_bytes());
        record.extend_from_slice(value);
    };
    push("\",\"channel\":\"", said.channel.as_bytes());
    push("\",\"username\":\"", said.login.as_bytes());
    push("\",\"user_id\":\"", tags.user_id());
    push("\",\"message\":\"", b"");
    json::push_text(&mut record, said.text.as_bytes());
    if detail == Detail::Basic {
        record.extend_from_slice(b"\"}\n");
        return Some((said.channel, record));
    }
    let mut push = |key: &str, value: &[u8]| {
        record.extend_from_slice(key.as_bytes());
        record.extend_from_slice(value);
    };
    push("\",\"type\":\"message\",\"id\":\"", tags.id());
    push("\",\"platform\":\"twitch\",\"channel_id\":\"", tags.room_id());
    push("\",\"received\":\"", received.as_bytes());
    push("\",\"details\":{", &tags.json);
    push("\"command\":\"PRIVMSG\"}}\n", b"");
    Some((said.channel, record))
}

/// What comes behind the tags: `:login!login@login.tmi.twitch.tv PRIVMSG #channel :text`.
struct Said<'line> {
    login: &'line str,
    channel: &'line str,
    text: &'line str,
}

impl<'line> Said<'line> {
    fn read(rest: &'line str) -> Option<Self> {
        let (login, rest) = rest.strip_prefix(':')?.split_once('!')?;
        let rest = rest.strip_prefix(login)?.strip_prefix('@')?.strip_prefix(login)?;
        let (channel, text) = rest.strip_prefix(PRIVMSG)?.split_once(" :")?;
        // What begins with this byte is a CTCP message, such as an action.
        let usual = is_login(login) && is_login(channel) && !text.starts_with('\x01') && !text.contains('\n');
        usual.then_some(Self { login, channel, text })
    }
}

fn is_login(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.bytes().all(allowed)
}

/// Where a value is in the JSON of the tags.
type Place = std::ops::Range<usize>;

/// The tags, as members of a JSON object: each with a comma behind it.
#[derive(Default)]
struct Tags {
    json: Vec<u8>,
    sent: u64,
    id: Place,
    user_id: Place,
    room_id: Place,
}

impl Tags {
    fn read(text: &str) -> Option<Self> {
        let mut tags = Self { json: Vec::with_capacity(text.len() + 256), ..Self::default() };
        let plain = json::is_plain(text.as_bytes());
        let mut sent = None;
        let mut keys: Vec<&str> = Vec::with_capacity(32);
        let mut greatest = "";
        for item in text.split(';') {
            let (key, value) = item.split_at_checked(item.bytes().position(|byte| !is_in_key(byte))?)?;
            let value = value.strip_prefix('=')?;
            if key.is_empty() || OWN_DETAILS.contains(&key) || keys.len() == MOST_TAGS {
                return None;
            }
            // Twitch sorts them, so nearly none has to be looked for among the earlier ones.
            if key > greatest {
                greatest = key;
            } else if keys.contains(&key) {
                return None;
            }
            keys.push(key);
            tags.json.push(b'"');
            tags.json.extend_from_slice(key.as_bytes());
            tags.json.extend_from_slice(b"\":\"");
            let start = tags.json.len();
            if plain {
                tags.json.extend_from_slice(value.as_bytes());
            } else {
                push_value(&mut tags.json, value);
            }
            let place = start..tags.json.len();
            tags.json.extend_from_slice(b"\",");
            match key {
                "id" => tags.id = place,
                "user-id" => tags.user_id = place,
                "room-id" => tags.room_id = place,
                "tmi-sent-ts" => sent = Some(value),
                _ => {}
            }
        }
        tags.sent = time::milliseconds(sent?)?;
        (!tags.room_id.is_empty()).then_some(tags)
    }

    fn id(&self) -> &[u8] {
        self.at(&self.id)
    }

    fn user_id(&self) -> &[u8] {
        self.at(&self.user_id)
    }

    fn room_id(&self) -> &[u8] {
        self.at(&self.room_id)
    }

    /// A value; the empty one where there is no such tag.
    fn at(&self, place: &Place) -> &[u8] {
        self.json.get(place.clone()).unwrap_or_default()
    }
}

/// Whether usual names of tags have this byte, which stands for itself in JSON.
fn is_in_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'.' | b'+')
}

/// Append a tag's value as JSON. In a tag, `\:` is `;`, `\s` a space, `\r` CR and `\n` LF. Any other
/// character behind a backslash is itself, and a lone backslash at the end is nothing.
fn push_value(out: &mut Vec<u8>, value: &str) {
    let mut rest = value.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        let (plain, behind) = rest.split_at(at);
        json::push_text(out, plain);
        let Some((&escaped, behind)) = behind.get(1..).and_then(<[u8]>::split_first) else {
            return;
        };
        let meant = match escaped {
            b':' => b';',
            b's' => b' ',
            b'r' => b'\r',
            b'n' => b'\n',
            // Of a character of several bytes, the others follow.
            other => other,
        };
        json::push_text(out, &[meant]);
        rest = behind;
    }
    json::push_text(out, rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECEIVED: &str = "2026-01-15T20:00:00.250Z";
    const TAGS: &str = "@badges=;id=1-2;room-id=7;tmi-sent-ts=1768507199875;user-id=8";

    fn record(line: &str, detail: Detail) -> Option<String> {
        let (channel, record) = chat_record(line.as_bytes(), RECEIVED, detail)?;
        assert_eq!(channel, "room_1");
        String::from_utf8(record).ok()
    }

    fn line(tags: &str, text: &str) -> String {
        format!("{tags} :ab_1!ab_1@ab_1.tmi.twitch.tv PRIVMSG #room_1 :{text}")
    }

    #[test]
    fn both_details() {
        let basic = "{\"timestamp\":\"2026-01-15T19:59:59.875Z\",\"channel\":\"room_1\",\
            \"username\":\"ab_1\",\"user_id\":\"8\",\"message\":\"say \\\"hi\\\" :x \"";
        let said = line(TAGS, "say \"hi\" :x ");
        assert_eq!(record(&said, Detail::Basic), Some(format!("{basic}}}\n")));
        let full = format!(
            "{basic},\"type\":\"message\",\"id\":\"1-2\",\"platform\":\"twitch\",\"channel_id\":\"7\",\
            \"received\":\"{RECEIVED}\",\"details\":{{\"badges\":\"\",\"id\":\"1-2\",\"room-id\":\"7\",\
            \"tmi-sent-ts\":\"1768507199875\",\"user-id\":\"8\",\"command\":\"PRIVMSG\"}}}}\n"
        );
        assert_eq!(record(&said, Detail::Full), Some(full));
    }

    #[test]
    fn escapes_of_tags() {
        for (written, expected) in [
            ("a\\sb\\:c", "a b;c"),
            ("\\r\\n\\\\s", "\\r\\n\\\\s"),
            ("\\\"\"", "\\\"\\\""),
            ("\\u0041\\é", "u0041é"),
            ("a=b\\", "a=b"),
            ("\t\0", "\\t\\u0000"),
        ] {
            let tags = TAGS.replace("badges=", &format!("badges={written}"));
            let found = record(&line(&tags, "x"), Detail::Full).unwrap_or_default();
            assert!(found.contains(&format!("{{\"badges\":\"{expected}\",\"id\"")), "{found}");
        }
    }

    #[test]
    fn tags_in_another_order() {
        let tags = "@user-id=8;tmi-sent-ts=1768507199875;room-id=7;x=";
        assert!(record(&line(tags, "x"), Detail::Full).is_some());
    }

    #[test]
    fn what_is_left_to_python() {
        let usual = line(TAGS, "x");
        assert!(record(&usual, Detail::Full).is_some());
        for other in [
            line(TAGS, "\x01ACTION waves\x01"),
            line(TAGS, "a\nb"),
            line(&TAGS.replace("badges=", "badges"), "x"),
            line(&TAGS.replace("badges=", ""), "x"),
            line(&TAGS.replace("badges=", "=x"), "x"),
            line(&TAGS.replace("badges=", "é=x"), "x"),
            line(&TAGS.replace("badges=", "raw=x"), "x"),
            line(&TAGS.replace("badges=", "user-id=9"), "x"),
            line(&TAGS.replace("room-id=7", "room-id="), "x"),
            line(&TAGS.replace("room-id=7;", ""), "x"),
            line(&TAGS.replace("1768507199875", "1798761600000"), "x"),
            line(&TAGS.replace("1768507199875", ""), "x"),
            line(&format!("{TAGS}{}", ";b=".repeat(MOST_TAGS)), "x"),
            line(TAGS, &"x".repeat(LONGEST)),
            usual.replace("PRIVMSG", "NOTICE"),
            usual.replace(" :ab", "  :ab"),
            usual.replace("#room_1", "#Room"),
            usual.replace("#room_1 :", "# :"),
            usual.replace("ab_1!ab_1@", "ab_1!ab@"),
            usual.replace("ab_1", ""),
            usual.replace('@', ""),
        ] {
            assert_eq!(record(&other, Detail::Full), None, "{other}");
        }
        for other in
            [&b"@"[..], b"", b"@ ", b"@= :", b"\xff", b"@\xed\xa0\x80= :a!a@a.tmi.twitch.tv PRIVMSG #a :"]
        {
            assert_eq!(chat_record(other, RECEIVED, Detail::Full), None);
        }
        assert_eq!(chat_record(usual.as_bytes(), "soon", Detail::Full), None);
    }
}
