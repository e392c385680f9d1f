//! Text as it is compared, searched and ordered: the folding of names, the key of an e-mail address, and which texts show nothing
//! (docs/decisions/0033).

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, Script};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The version of [`fold`] and [`email_key`]. One that folds otherwise gets the next number: what is stored is then folded again.
pub const VERSION: i64 = 1;

/// Stands between the parts of a search text: a code point that is no character, so that no term runs across two parts.
pub const SEPARATOR: char = '\u{FDD0}';

/// How much of one part is kept as a key, in bytes: an index entry of PostgreSQL holds 2,704.
const MAX_KEY: usize = 400;

/// A text without what people leave out or write otherwise when they mean the same: case, width and other compatibility forms,
/// accents where they are no letters of their own, kinds of apostrophes, hyphens, digits and blanks, and what is invisible.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return fold_ascii(text);
    }
    let plain = text.chars().map(punctuation);
    let mut folded = String::with_capacity(text.len());
    let mut base = None;
    for char in plain.nfkd() {
        let char = punctuation(char);
        if is_invisible(char) || char == SEPARATOR || char == char::MAX {
            continue;
        }
        if is_combining_mark(char) {
            if is_accent(base, char) {
                continue;
            }
        } else {
            base = Some(digit(char).unwrap_or(char));
        }
        if is_blank(char) {
            if !folded.is_empty() && !folded.ends_with(' ') {
                folded.push(' ');
            }
            continue;
        }
        // By way of upper case, where the forms of a letter that has several meet: `ß` and `ss`, `ς` and `σ`.
        let cases = char
            .to_lowercase()
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase);
        for char in cases {
            match letters(char) {
                Some(letters) => folded.push_str(letters),
                None => folded.push(digit(char).unwrap_or(char)),
            }
        }
    }
    folded.truncate(folded.trim_end_matches(' ').len());
    // What a case took apart, or a letter that is kept with its mark, is put together again.
    folded.nfc().collect()
}

fn fold_ascii(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for char in text.chars() {
        match char.to_ascii_lowercase() {
            blank if is_blank(blank) => {
                if !folded.is_empty() && !folded.ends_with(' ') {
                    folded.push(' ');
                }
            }
            '`' => folded.push('\''),
            other => folded.push(other),
        }
    }
    folded.truncate(folded.trim_end_matches(' ').len());
    folded
}

/// [`fold`], cut to what an index entry holds; `None` when nothing is left.
pub fn key(text: &str) -> Option<String> {
    let mut key = fold(text);
    key.truncate(key.floor_char_boundary(MAX_KEY));
    (!key.is_empty()).then_some(key)
}

/// What a search looks through, made of all that identifies someone.
pub fn search_text<'a>(parts: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let parts: Vec<_> = parts.into_iter().flatten().filter_map(key).collect();
    parts.join(&SEPARATOR.to_string())
}

/// An e-mail address as it is compared: in lower case, with its domain as Unicode however that is written (UTS #46). Nothing else folds: an
/// address with another accent is another mailbox. (A server may tell the cases of a local part apart; none in use does.)
pub fn email_key(address: &str) -> String {
    let address = address.trim();
    let Some((local, domain)) = address.rsplit_once('@') else {
        return address.to_lowercase();
    };
    let (unicode, valid) = idna::domain_to_unicode(domain);
    let domain = match valid {
        Ok(()) => unicode,
        Err(_) => domain.to_lowercase(),
    };
    format!("{}@{domain}", local.to_lowercase())
}

/// [`email_key`], cut to what an index entry holds; `None` when nothing is left.
pub fn stored_email_key(address: &str) -> Option<String> {
    let mut key = email_key(address);
    key.truncate(key.floor_char_boundary(MAX_KEY));
    (!key.is_empty()).then_some(key)
}

/// The digits of a phone number, so that it is found however it was written.
pub fn digits(phone: &str) -> String {
    phone
        .chars()
        .filter_map(|char| match char {
            '0'..='9' => Some(char),
            other => digit(other),
        })
        .collect()
}

/// A text without blanks around it; `None` when it shows nothing: blanks, controls and invisible characters alone.
pub fn visible(text: &str) -> Option<&str> {
    let shows = |char: char| {
        !(is_blank(char) || char.is_control() || is_invisible(char) || is_combining_mark(char))
    };
    text.chars().any(shows).then(|| text.trim())
}

/// White space, and the cell of Braille that is as empty.
fn is_blank(char: char) -> bool {
    char.is_whitespace() || char == '\u{2800}'
}

/// What has no glyph of its own (Unicode's `Default_Ignorable_Code_Point`), the tatweel, which stretches a word, and the dot between two
/// letters of Catalan.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{640}' | '\u{B7}')
        || (char > '\u{7F}' && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char))
}

/// Whether a mark is an accent of the letter that it stands on, and not a letter, a vowel or a tone.
fn is_accent(base: Option<char>, mark: char) -> bool {
    let scripts = CodePointMapData::<Script>::new();
    let script = base.map_or(Script::Common, |base| scripts.get(base));
    match script {
        Script::Latin | Script::Greek | Script::Arabic | Script::Hebrew | Script::Syriac => true,
        // Stress, and ё, which is mostly written е. Any other mark makes a letter: й, ї, ў, ѓ.
        Script::Cyrillic => match base {
            Some('г' | 'к' | 'Г' | 'К') => false,
            Some('е' | 'Е') => matches!(mark, '\u{300}' | '\u{301}' | '\u{308}'),
            _ => matches!(mark, '\u{300}' | '\u{301}'),
        },
        Script::Common | Script::Inherited => matches!(
            mark,
            '\u{300}'..='\u{36F}' | '\u{591}'..='\u{5C7}' | '\u{610}'..='\u{61A}' | '\u{64B}'..='\u{65F}' | '\u{670}'
        ),
        _ => false,
    }
}

/// Kinds of apostrophes, quotation marks and hyphens as the one of ASCII. Before and after decomposition, which takes some apart.
const fn punctuation(char: char) -> char {
    match char {
        '`'
        | '\u{B4}'
        | '\u{2B9}'..='\u{2BD}'
        | '\u{2C8}'
        | '\u{2CA}'
        | '\u{2CB}'
        | '\u{55A}'
        | '\u{5F3}'
        | '\u{1FBD}'
        | '\u{1FBF}'
        | '\u{1FEF}'
        | '\u{1FFD}'
        | '\u{1FFE}'
        | '\u{2018}'..='\u{201B}'
        | '\u{2032}'
        | '\u{2035}'
        | '\u{2039}'
        | '\u{203A}'
        | '\u{A78C}'
        | '\u{FF07}'
        | '\u{FF40}' => '\'',
        '\u{AB}' | '\u{BB}' | '\u{201C}'..='\u{201F}' | '\u{2033}' | '\u{2036}' | '\u{5F4}' => '"',
        '\u{58A}'
        | '\u{5BE}'
        | '\u{2010}'..='\u{2015}'
        | '\u{2043}'
        | '\u{2212}'
        | '\u{FE58}'
        | '\u{FE63}'
        | '\u{FF0D}' => '-',
        other => other,
    }
}

/// Letters that no decomposition takes apart, as they are written without them (CLDR, Latin-ASCII), and letters of Arabic script
/// that Arabic and Persian keyboards write differently.
const fn letters(char: char) -> Option<&'static str> {
    Some(match char {
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ð' | 'đ' | 'ɖ' | 'ɗ' => "d",
        'ł' | 'ƚ' | 'ɫ' => "l",
        'ø' | 'ɵ' => "o",
        'ħ' => "h",
        'ı' | 'ɨ' => "i",
        'ŋ' | 'ɲ' | 'ƞ' => "n",
        'ĸ' => "q",
        'ŧ' | 'ƭ' | 'ʈ' | 'ⱦ' => "t",
        'ƀ' | 'ɓ' | 'ƃ' => "b",
        'ƈ' | 'ȼ' => "c",
        'ɇ' => "e",
        'ƒ' => "f",
        'ɠ' | 'ǥ' => "g",
        'ɉ' => "j",
        'ƙ' => "k",
        'ƥ' => "p",
        'ɍ' => "r",
        'ʉ' => "u",
        'ʋ' => "v",
        'ƴ' | 'ɏ' => "y",
        'ƶ' | 'ȥ' => "z",
        'ⱥ' => "a",
        // Persian and Urdu forms of the Arabic letters yeh, kaf and heh.
        'ی' | 'ى' => "ي",
        'ک' => "ك",
        'ہ' => "ه",
        _ => return None,
    })
}

/// A decimal digit of any script as one of ASCII. Each script has its ten in a row, from zero on.
fn digit(char: char) -> Option<char> {
    let is_digit = |code: u32| {
        char::from_u32(code).is_some_and(|char| {
            CodePointMapData::<GeneralCategory>::new().get(char) == GeneralCategory::DecimalNumber
        })
    };
    if char.is_ascii() || !char.is_numeric() || !is_digit(char.into()) {
        return None;
    }
    let code = u32::from(char);
    let zero = (0..code).rev().take_while(|code| is_digit(*code)).last();
    char::from_digit((code - zero.unwrap_or(code)) % 10, 10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{email_key, fold, search_text, visible};

    #[test]
    fn what_people_write_in_two_ways_folds_to_the_same() {
        for (written, searched) in [
            // Latin
            ("José Ñandú", "jose nandu"),
            ("Łukasz", "lukasz"),
            ("Søren", "soren"),
            ("ÆON Œuvre", "aeon oeuvre"),
            ("Þór Guðrún", "thor gudrun"),
            ("Ħal Đặng Nguyễn", "hal dang nguyen"),
            ("İstanbul Işık", "istanbul isik"),
            ("Groß GROẞ", "gross gross"),
            ("coŀlecció col·lecció", "colleccio colleccio"),
            ("ﬁnance 𝓜𝓪𝓽𝓱", "finance math"),
            ("ＡＢＣ１２３", "abc123"),
            // Punctuation, blanks, what is invisible
            (
                "O’Brien O‘Brien OʼBrien O＇Brien O`Brien O´Brien O′Brien",
                "o'brien o'brien o'brien o'brien o'brien o'brien o'brien",
            ),
            (
                "Jean‑Luc Jean‐Luc Jean–Luc Jean—Luc Jean−Luc",
                "jean-luc jean-luc jean-luc jean-luc jean-luc",
            ),
            (" Ann \u{a0}\t Lee\u{3000}", "ann lee"),
            ("Ann\u{200b}Lee\u{feff} So\u{ad}fia\u{200e}", "annlee sofia"),
            // Greek, Cyrillic
            ("ΆΛΦΑ Γιώργος ΟΔΥΣΣΕΎΣ", "αλφα γιωργοσ οδυσσευσ"),
            ("Ёлка за́мок", "елка замок"),
            // Arabic, Hebrew
            ("محـــمد مُحَمَّد", "محمد محمد"),
            ("علی کریم", "علي كريم"),
            ("أحمد", "احمد"),
            ("שָׁלוֹם", "שלום"),
            ("۱۲۳ ١٢٣ १२३ ১২৩", "123 123 123 123"),
            // Kana and Hangul in one form
            ("ｶﾞﾝﾀﾞﾑ", "ガンダム"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("100%_'\"\\", "100%_'\"\\"),
            ("🦀 crab\t!", "🦀 crab !"),
        ] {
            assert_eq!(fold(written), searched, "{written}");
        }
    }

    #[test]
    fn letters_vowels_and_tones_stay() {
        for (one, other) in [
            ("राम", "रमा"),
            ("राम", "रीमा"),
            ("रमा", "रीमा"),
            ("রাম", "রমা"),
            ("રામ", "રમા"),
            ("ਰਾਮ", "ਰਮਾ"),
            ("ராமா", "ராமி"),
            ("రామ", "రమ"),
            ("രാമ", "രമ"),
            ("กา", "กี"),
            ("ก่า", "กา"),
            ("ກາ", "ກີ"),
            ("ကာ", "ကိ"),
            ("កា", "កិ"),
            ("が", "か"),
            ("ガンダム", "カンタム"),
            ("각", "가"),
            ("Сергей", "Сергеи"),
            ("Київ", "Киів"),
            ("བོད", "བད"),
        ] {
            let (one, other) = (fold(one), fold(other));
            assert!(
                !one.contains(&other) && !other.contains(&one),
                "{one} {other}"
            );
        }
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,12}|[\\p{M}\\p{L}\\p{Nd}\\p{Z}\\p{Cf}\\p{Sk}]{0,12}") {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded.clone());
            prop_assert!(!folded.starts_with(' ') && !folded.ends_with(' '));
        }

        #[test]
        fn email_key_is_stable(text in "[a-zA-Zäß.\\-]{0,6}@[a-zA-ZäÄß.\\-]{0,9}") {
            let key = email_key(&text);
            prop_assert_eq!(email_key(&key), key);
        }
    }

    #[test]
    fn another_mailbox_is_another_address() {
        for (one, other) in [
            ("Ann@Example.ORG", " ann@example.org"),
            ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
        ] {
            assert_eq!(email_key(one), email_key(other));
        }
        for (one, other) in [
            ("josé@example.org", "jose@example.org"),
            ("a@bücher.example", "a@bucher.example"),
            ("ａ@example.org", "a@example.org"),
            ("a.b@example.org", "ab@example.org"),
        ] {
            assert_ne!(email_key(one), email_key(other));
        }
    }

    #[test]
    fn a_name_of_nothing_visible_is_none() {
        for blank in [
            "",
            " ",
            "\u{200b}",
            "\u{3164}",
            "\u{2800}",
            "\u{feff} \u{200d}",
            "\u{202e}",
            "\u{ad}",
            "\u{fe0f}",
            "\u{e0041}",
            "\u{7}",
            "\u{301}",
        ] {
            assert_eq!(visible(blank), None, "{blank:?}");
        }
        assert_eq!(visible(" Ann \u{200d}"), Some("Ann \u{200d}"));
        assert_eq!(visible("👩\u{200d}💻"), Some("👩\u{200d}💻"));
    }

    #[test]
    fn a_term_does_not_run_across_two_parts() {
        let searched = search_text([Some("Ann"), None, Some("ann@example.com")]);
        assert!(
            searched.contains("ann@")
                && !searched.contains("annann")
                && !searched.contains("ann ann")
        );
    }
}
