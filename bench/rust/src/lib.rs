use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

// chat_record of chatlog/twitch/events.py for full detail: (channel, record), or None for what it leaves to
// the general parser. A comparison, not a part of Chatlog.
fn word(b: u8) -> bool { b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' }

fn json_text(out: &mut Vec<u8>, s: &[u8]) {
    for &b in s {
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            0..=31 => { out.extend_from_slice(format!("\\u{:04x}", b).as_bytes()); }
            _ => out.push(b),
        }
    }
}

fn build(line: &[u8], received: &str) -> Option<(usize, usize, Vec<u8>)> {
    if line.first() != Some(&b'@') { return None; }
    std::str::from_utf8(line).ok()?;
    let space = line.iter().position(|&b| b == b' ')?;
    let head = &line[1..space];
    let rest = &line[space + 1..];
    // source
    if rest.first() != Some(&b':') { return None; }
    let bang = rest.iter().position(|&b| b == b'!')?;
    let nick = &rest[1..bang];
    if nick.is_empty() || !nick.iter().all(|&b| word(b)) { return None; }
    let n = nick.len();
    let mut at = bang + 1;
    let tail: &[u8] = b".tmi.twitch.tv PRIVMSG #";
    if rest.len() < at + 2 * n + 1 + tail.len() { return None; }
    if &rest[at..at + n] != nick || rest[at + n] != b'@' || &rest[at + n + 1..at + 2 * n + 1] != nick { return None; }
    at += 2 * n + 1;
    if &rest[at..at + tail.len()] != tail { return None; }
    at += tail.len();
    let from = at;
    while at < rest.len() && word(rest[at]) { at += 1; }
    let channel = &rest[from..at];
    if channel.is_empty() || rest.len() < at + 2 || &rest[at..at + 2] != b" :" { return None; }
    let text = &rest[at + 2..];
    if text.first() == Some(&1) || text.contains(&b'\n') { return None; }
    // tags
    let mut details: Vec<u8> = Vec::with_capacity(head.len() + 128);
    let mut keys: [&[u8]; 64] = [&[]; 64];
    let mut count = 0usize;
    let (mut room, mut sent, mut user, mut id): (Option<&[u8]>, Option<&[u8]>, &[u8], &[u8]) = (None, None, b"", b"");
    for item in head.split(|&b| b == b';') {
        let eq = item.iter().position(|&b| b == b'=')?;
        let (key, value) = (&item[..eq], &item[eq + 1..]);
        if count == 64 || keys[..count].contains(&key) { return None; }
        if !key.iter().all(|&b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit()) || key == b"command" || key == b"params" || key == b"source" || key == b"raw" { return None; }
        keys[count] = key; count += 1;
        details.extend_from_slice(if count == 1 { b"{\"" } else { b",\"" });
        details.extend_from_slice(key);
        details.extend_from_slice(b"\":\"");
        let mut plain = true;
        let mut i = 0;
        while i < value.len() {
            let b = value[i];
            match b {
                b'\\' => { plain = false; i += 1; match value.get(i) { Some(b's') => details.push(b' '), Some(b':') => details.push(b';'), Some(b'r') => details.extend_from_slice(b"\\r"), Some(b'n') => details.extend_from_slice(b"\\n"), _ => return None } }
                b'"' => { plain = false; details.extend_from_slice(b"\\\"") }
                b'=' | 0..=31 => return None,
                _ => details.push(b),
            }
            i += 1;
        }
        details.push(b'"');
        match key {
            b"room-id" => { if !plain { return None } room = Some(value) }
            b"tmi-sent-ts" => sent = Some(value),
            b"user-id" => { if !plain { return None } user = value }
            b"id" => { if !plain { return None } id = value }
            _ => {}
        }
    }
    let (room, sent) = (room?, sent?);
    if room.is_empty() || sent.len() != 13 || !sent.iter().all(|b| b.is_ascii_digit()) { return None; }
    let ms: i64 = std::str::from_utf8(sent).ok()?.parse().ok()?;
    let (secs, frac) = (ms / 1000, ms % 1000);
    let (days, sod) = (secs.div_euclid(86400), secs.rem_euclid(86400));
    let z = days + 719468; let era = z.div_euclid(146097); let doe = z.rem_euclid(146097);
    let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365; let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153; let d = doy - (153 * mp + 2) / 5 + 1; let m = if mp < 10 { mp + 3 } else { mp - 9 };
    let y = yoe + era * 400 + if m <= 2 { 1 } else { 0 };
    let time = format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", y, m, d, sod / 3600, sod / 60 % 60, sod % 60, frac);
    if time[..4] != received[..4] { return None; }
    let mut out: Vec<u8> = Vec::with_capacity(line.len() + 512);
    out.extend_from_slice(b"{\"timestamp\":\""); out.extend_from_slice(time.as_bytes());
    out.extend_from_slice(b"\",\"channel\":\""); out.extend_from_slice(channel);
    out.extend_from_slice(b"\",\"username\":\""); out.extend_from_slice(nick);
    out.extend_from_slice(b"\",\"user_id\":\""); out.extend_from_slice(user);
    out.extend_from_slice(b"\",\"message\":\""); json_text(&mut out, text);
    out.extend_from_slice(b"\",\"type\":\"message\",\"id\":\""); out.extend_from_slice(id);
    out.extend_from_slice(b"\",\"platform\":\"twitch\",\"channel_id\":\""); out.extend_from_slice(room);
    out.extend_from_slice(b"\",\"received\":\""); out.extend_from_slice(received.as_bytes());
    out.extend_from_slice(b"\",\"details\":"); out.extend_from_slice(&details);
    out.extend_from_slice(b",\"command\":\"PRIVMSG\"}}\n");
    let start = space + 1 + from;
    Some((start, start + channel.len(), out))
}

#[pyfunction]
fn chat_record<'py>(py: Python<'py>, line: &Bound<'py, PyBytes>, received: &str) -> Option<(Bound<'py, PyString>, Bound<'py, PyBytes>)> {
    let bytes = line.as_bytes();
    let (a, b, out) = build(bytes, received)?;
    let channel = PyString::new(py, std::str::from_utf8(&bytes[a..b]).ok()?);
    Some((channel, PyBytes::new(py, &out)))
}

#[pymodule]
fn chatline(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(chat_record, m)?)
}
