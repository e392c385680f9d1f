//! Money: amounts in the one currency of this server.

use std::str::FromStr;

use async_graphql::{Context, SimpleObject};
use macros::fast_fields;

use crate::decimal::Decimal;

/// An amount of money.
#[fast_fields]
#[derive(SimpleObject)]
pub(super) struct Money {
    /// How much, exactly.
    amount: Decimal,
    /// Of what: the three letters of ISO 4217. The same for all amounts of a server.
    currency: String,
}

/// A currency, by the three letters of ISO 4217.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency([u8; 3]);

impl Default for Currency {
    fn default() -> Self {
        Self(*b"USD")
    }
}

impl FromStr for Currency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) => Ok(Self(letters)),
            _ => Err("is not a currency: three upper-case letters, such as EUR".to_owned()),
        }
    }
}

impl Money {
    /// An amount in millionths of the currency of this server.
    pub(super) fn of(context: &Context<'_>, micros: i64) -> Self {
        let Currency(letters) = super::currency(context);
        Self {
            amount: Decimal(micros),
            currency: letters.iter().copied().map(char::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Currency;

    #[test]
    fn a_currency_is_three_upper_case_letters() {
        assert_eq!("USD".parse(), Ok(Currency::default()));
        for text in ["", "eur", "EURO", "EU", "E1R", "ÄR", "EU "] {
            assert!(text.parse::<Currency>().is_err(), "{text}");
        }
    }
}
