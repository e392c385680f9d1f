//! Amounts as Parlour stores them: whole millionths, exact.

use std::fmt;

/// Digits after the point.
const PLACES: usize = 6;
/// Millionths of one.
const ONE: i64 = 1_000_000;

/// A number with up to six digits after the point, as a whole number of millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(pub i64);

impl Decimal {
    /// Reads digits, with a `-` before them or not, and up to six more after a point.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(not_decimal(text)),
            Some(parts) => parts,
            None => (digits, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return Err(not_decimal(text));
        }
        if fraction.len() > PLACES {
            return Err(format!("has more than {PLACES} digits after the point"));
        }
        // Read as a negative number: there is one more of those.
        let digits = whole.bytes().chain(fraction.bytes());
        let padding = std::iter::repeat_n(b'0', PLACES - fraction.len());
        let micros = digits.chain(padding).try_fold(0_i64, |micros, digit| {
            micros.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))
        });
        let signed = if negative {
            micros
        } else {
            micros.and_then(i64::checked_neg)
        };
        signed
            .map(Self)
            .ok_or_else(|| "is beyond what can be stored".to_owned())
    }
}

impl TryFrom<&serde_json::Number> for Decimal {
    type Error = String;

    /// Exact as far as the number is: one with a fraction has about fifteen digits.
    fn try_from(number: &serde_json::Number) -> Result<Self, String> {
        match number.as_f64() {
            // Shown without an exponent.
            Some(float) if number.is_f64() => Self::parse(&float.to_string()),
            _ => Self::parse(&number.to_string()),
        }
    }
}

fn not_decimal(text: &str) -> String {
    let shown: String = text.chars().take(50).collect();
    format!("`{shown}` is not a decimal number, such as 12.5")
}

/// No more digits than are needed, and none but these: `0.25`, `-3`.
impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        let one = ONE.unsigned_abs();
        write!(formatter, "{sign}{}", micros / one)?;
        match micros % one {
            0 => Ok(()),
            rest => write!(formatter, ".{}", format!("{rest:06}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn what_is_written_is_what_is_read() {
        for (text, micros, shown) in [
            ("0", 0, "0"),
            ("-0.0", 0, "0"),
            ("12.5", 12_500_000, "12.5"),
            ("0.000001", 1, "0.000001"),
            ("-0.25", -250_000, "-0.25"),
            ("007.100000", 7_100_000, "7.1"),
            ("9223372036854.775807", i64::MAX, "9223372036854.775807"),
            ("-9223372036854.775808", i64::MIN, "-9223372036854.775808"),
        ] {
            assert_eq!(Decimal::parse(text), Ok(Decimal(micros)), "{text}");
            assert_eq!(Decimal(micros).to_string(), shown);
        }
    }

    #[test]
    fn numbers_are_amounts_too() {
        for (number, micros) in [
            ("0.000001", 1),
            ("1e2", 100_000_000),
            ("-3", -3_000_000),
            ("0.1", 100_000),
        ] {
            let number: serde_json::Number = serde_json::from_str(number).unwrap();
            assert_eq!(Decimal::try_from(&number), Ok(Decimal(micros)));
        }
        let number: serde_json::Number = serde_json::from_str("1e300").unwrap();
        assert!(Decimal::try_from(&number).is_err());
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            "-",
            ".5",
            "5.",
            "+1",
            "1e3",
            "1,5",
            "0x1",
            " 1",
            "1.2.3",
            "１",
            "--1",
            "NaN",
            "1.0000000",
            "0.0000001",
            "9223372036854.775808",
            "-9223372036854.775809",
            "100000000000000000000000",
        ] {
            assert!(Decimal::parse(text).is_err(), "{text}");
        }
    }
}
