//! HTTP dates (RFC 9110, 5.6.7): one format written, three read. No clock: times are seconds
//! since the epoch, in UTC.

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
const DAY: i64 = 86_400;

/// First second of year 0 and last one of year 9999: what four digits can say.
const EARLIEST: i64 = -62_167_219_200;
const LATEST: i64 = 253_402_300_799;

/// Writes `Sun, 06 Nov 1994 08:49:37 GMT`. A time outside the years 0 to 9999 becomes the nearest
/// one inside.
pub fn format(seconds: i64) -> [u8; 29] {
    let seconds = seconds.clamp(EARLIEST, LATEST);
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    text[..3].copy_from_slice(DAYS[days.rem_euclid(7) as usize]);
    two_digits(&mut text[5..7], day);
    text[8..11].copy_from_slice(MONTHS[month as usize - 1]);
    two_digits(&mut text[12..14], year / 100);
    two_digits(&mut text[14..16], year % 100);
    two_digits(&mut text[17..19], second / 3600);
    two_digits(&mut text[20..22], second / 60 % 60);
    two_digits(&mut text[23..25], second % 60);
    text
}

fn two_digits(out: &mut [u8], value: i64) {
    out[0] = b'0' + (value / 10) as u8;
    out[1] = b'0' + (value % 10) as u8;
}

/// Year, month (1 to 12) and day (1 to 31) of a day counted from the epoch.
///
/// The years are counted from March, so that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The inverse of `civil`.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Reads IMF-fixdate, the RFC 850 format and that of `asctime`.
///
/// The name of the day is not looked at. Two-digit years from 70 on are of the last century: no
/// clock is asked.
pub fn parse(text: &[u8]) -> Option<i64> {
    let mut rest = Reader(text);
    rest.skip_until(|byte| byte == b',' || byte == b' ');
    let asctime = rest.next()? == b' ';
    rest.skip_until(|byte| byte != b' ');
    if asctime {
        parse_asctime(rest)
    } else {
        parse_fixdate_or_850(rest)
    }
}

fn parse_fixdate_or_850(mut rest: Reader) -> Option<i64> {
    let day = rest.number(2)?;
    let separator = rest.next()?;
    let month = rest.month()?;
    rest.expect(separator)?;
    let year = match separator {
        b' ' => rest.number(4)?,
        b'-' => match rest.number(2)? {
            year @ 0..70 => 2000 + year,
            year => 1900 + year,
        },
        _ => return None,
    };
    rest.expect(b' ')?;
    let second = rest.time()?;
    seconds_of(year, month, day, second)
}

fn parse_asctime(mut rest: Reader) -> Option<i64> {
    let month = rest.month()?;
    rest.expect(b' ')?;
    let day = match rest.0.first()? {
        b' ' => {
            rest.next();
            rest.number(1)?
        }
        _ => rest.number(2)?,
    };
    rest.expect(b' ')?;
    let second = rest.time()?;
    rest.expect(b' ')?;
    let year = rest.number(4)?;
    seconds_of(year, month, day, second)
}

fn seconds_of(year: i64, month: i64, day: i64, second: i64) -> Option<i64> {
    let days = days_of(year, month, day);
    // A day that its month does not have comes back as another.
    (civil(days) == (year, month, day)).then_some(days * DAY + second)
}

/// What is left of the text.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn skip_until(&mut self, stop: impl Fn(u8) -> bool) {
        let end = self
            .0
            .iter()
            .position(|&byte| stop(byte))
            .unwrap_or(self.0.len());
        self.0 = &self.0[end..];
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        (0..digits).try_fold(0, |value, _| {
            let digit = self.next()?;
            digit
                .is_ascii_digit()
                .then(|| value * 10 + i64::from(digit - b'0'))
        })
    }

    fn month(&mut self) -> Option<i64> {
        let (name, rest) = self.0.split_at_checked(3)?;
        let index = MONTHS.iter().position(|month| *month == name)?;
        self.0 = rest;
        Some(index as i64 + 1)
    }

    /// `08:49:37` as seconds of the day; 60 is a leap second.
    fn time(&mut self) -> Option<i64> {
        let hour = self.number(2)?;
        self.expect(b':')?;
        let minute = self.number(2)?;
        self.expect(b':')?;
        let second = self.number(2)?;
        (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formats() {
        let table: [(i64, &str); 9] = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_294_967_296, "Sun, 07 Feb 2106 06:28:16 GMT"),
            (LATEST, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (LATEST + 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (i64::MIN, "Sat, 01 Jan 0000 00:00:00 GMT"),
        ];
        for (seconds, text) in table {
            assert_eq!(std::str::from_utf8(&format(seconds)), Ok(text), "{seconds}");
        }
    }

    #[test]
    fn reads_the_three_formats() {
        let table: [(&str, Option<i64>); 20] = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Wed Nov 16 08:49:37 1994", Some(784_975_777)),
            ("Sun,   06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sun,06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sun, 06 Nov 1994 08:49:37", Some(784_111_777)),
            ("Tuesday, 19-Jan-38 03:14:08 GMT", Some(2_147_483_648)),
            ("Thu, 01 Jan 1970 00:00:60 GMT", Some(60)),
            ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
            ("Tue, 29 Feb 1900 00:00:00 GMT", None),
            ("Tue, 31 Apr 2000 00:00:00 GMT", None),
            ("Tue, 00 Apr 2000 00:00:00 GMT", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 nov 1994 08:49:37 GMT", None),
            ("Sun, 06/Nov/1994 08:49:37 GMT", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("784111777", None),
            ("Sun,", None),
            ("", None),
        ];
        for (text, seconds) in table {
            assert_eq!(parse(text.as_bytes()), seconds, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in EARLIEST..=LATEST) {
            prop_assert_eq!(parse(&format(seconds)), Some(seconds));
        }

        #[test]
        fn anything_is_read_without_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            parse(&text);
        }
    }
}
