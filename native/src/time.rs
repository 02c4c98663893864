//! Twitch's times as RFC 3339 writes them.

/// The length of a time such as `2025-12-29T10:30:45.123Z`.
pub const LENGTH: usize = 24;

/// Whether this is a time of the year 2012 or later, in the form that is written here. (Twitch began in 2011,
/// and for times before that there is a rule, which is Python's.)
pub fn is_usual(time: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_digit() || b"-:.TZ".contains(&byte);
    time.len() == LENGTH && time.bytes().all(allowed) && time >= "2012"
}

/// A time of 13 digits, in milliseconds since the epoch; `None` for anything else.
pub fn milliseconds(digits: &str) -> Option<u64> {
    let usual = digits.len() == 13 && digits.bytes().all(|byte| byte.is_ascii_digit());
    usual.then(|| digits.parse().ok()).flatten()
}

/// Append the time. It is below 10 ** 13 milliseconds, so its year has four digits.
pub fn push(out: &mut Vec<u8>, milliseconds: u64) {
    let (seconds, thousandths) = (milliseconds / 1000, milliseconds % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days become a date as in Howard Hinnant's days_from_civil: years begin in March, eras of 400 years
    // with the year 0.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    for (value, width, behind) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (hour, 2, b':'),
        (minute, 2, b':'),
        (second, 2, b'.'),
        (thousandths, 3, b'Z'),
    ] {
        let digits = [value / 1000 % 10, value / 100 % 10, value / 10 % 10, value % 10];
        out.extend(digits.iter().skip(4 - width).map(|&digit| b'0' + digit as u8));
        out.push(behind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(milliseconds: u64) -> Option<String> {
        let mut out = Vec::new();
        push(&mut out, milliseconds);
        String::from_utf8(out).ok()
    }

    #[test]
    fn dates() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (1_768_507_199_875, "2026-01-15T19:59:59.875Z"),
            (1_798_761_599_999, "2026-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (9_999_999_999_999, "2286-11-20T17:46:39.999Z"),
        ] {
            assert_eq!(written(milliseconds).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in ["", "176850719987", "17685071998755", "176850719987x", "+176850719987", "-176850719987"]
        {
            assert_eq!(milliseconds(text), None);
        }
        assert_eq!(milliseconds("0000000000001"), Some(1));
        assert!(is_usual("2026-01-15T19:59:59.875Z"));
        for text in ["", "2026-01-15T19:59:59Z", "2011-12-31T23:59:59.999Z", "2026-01-15T19:59:59.87\"Z"] {
            assert!(!is_usual(text));
        }
    }
}
