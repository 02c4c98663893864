//! Text as JSON writes it, the way orjson does.

/// Append `text` as the inside of a string.
pub fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        out.extend_from_slice(text);
        return;
    }
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| is_escaped(byte)) {
        let (plain, behind) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = behind.split_first() else {
            return;
        };
        push_escaped(out, byte);
        rest = behind;
    }
    out.extend_from_slice(rest);
}

/// Whether the text stands for itself. It is looked at as a whole, which takes 16 bytes at a time.
pub fn is_plain(text: &[u8]) -> bool {
    text.iter().fold(true, |plain, &byte| plain & !is_escaped(byte))
}

/// Whether a byte of UTF-8 does not stand for itself in a string.
fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn push_escaped(out: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend([byte >> 4, byte & 0xf].map(hexadecimal));
            return;
        }
    };
    out.extend([b'\\', letter]);
}

fn hexadecimal(digit: u8) -> u8 {
    if digit < 10 {
        b'0' + digit
    } else {
        b'a' + digit - 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_is_escaped() {
        let mut out = Vec::new();
        push_text(&mut out, "a\"\\/\u{8}\t\n\u{c}\r\0\u{1f}\u{7f}\u{2028}é😂".as_bytes());
        let expected = "a\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001f\u{7f}\u{2028}é😂";
        assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
    }
}
