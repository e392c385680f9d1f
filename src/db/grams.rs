//! Grams: the one to three characters in a row by which the search index knows a search text (docs/decisions/0014).

use std::collections::BTreeSet;

use crate::text::SEPARATOR;

/// What every user's id starts with, and what the rest of it is written in: one or two of these characters in a row are in
/// the ids of any few hundred users.
const ID_PREFIX: &str = "user_";
const ID_DIGITS: &str = "0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of the longest gram.
pub(super) const LONGEST: usize = 3;
/// How many grams of a term are asked for: each narrows what is found, and none but the term itself decides.
const MAX_ASKED: usize = 32;
/// Where ASCII characters that are no letters or digits stand in a gram, so that no gram has a space in it.
const SHIFTED: u32 = 0xE000;

/// The grams of a search text, up to `longest` characters each, as words of one text.
pub(super) fn of(text: &str, longest: usize) -> String {
    let mut grams = BTreeSet::new();
    for part in text.split(SEPARATOR) {
        let part: Vec<char> = part.chars().collect();
        for length in 1..=longest {
            grams.extend(part.windows(length).filter(|gram| tells(gram)).map(word));
        }
    }
    let grams: Vec<_> = grams.into_iter().collect();
    grams.join(" ")
}

/// The grams that whoever has a term must have; empty when the index cannot help, because the term is short and in the
/// ids of many.
pub(super) fn of_term(term: &str, longest: usize) -> Vec<String> {
    let term: Vec<char> = term.chars().collect();
    let grams: BTreeSet<_> = term
        .windows(term.len().clamp(1, longest))
        .filter(|gram| tells(gram))
        .map(word)
        .collect();
    let step = grams.len().div_ceil(MAX_ASKED).max(1);
    grams.into_iter().step_by(step).collect()
}

/// Whether a gram tells one user from another.
fn tells(gram: &[char]) -> bool {
    gram.len() >= LONGEST
        || !(gram.iter().all(|&char| ID_DIGITS.contains(char))
            || ID_PREFIX.contains(&gram.iter().collect::<String>()))
}

fn word(gram: &[char]) -> String {
    let shift = |&char: &char| match char {
        '\0'..='\x7f' if !char.is_ascii_alphanumeric() => {
            char::from_u32(SHIFTED + u32::from(char)).unwrap_or(char)
        }
        _ => char,
    };
    gram.iter().map(shift).collect()
}

#[cfg(test)]
mod tests {
    use super::{SEPARATOR, of, of_term};

    /// Whatever is contained has its grams among those of the text: the index leaves nobody out.
    #[test]
    fn a_part_of_a_text_has_no_gram_that_the_text_lacks() {
        let parts = [
            "ann-li o'neil 王小明 🦀",
            "a.b+c@ex.org",
            "user_01h4x0000000000000000000",
        ];
        for longest in [2, 3] {
            let grams = of(&parts.join(&SEPARATOR.to_string()), longest);
            let grams: Vec<_> = grams.split(' ').collect();
            for part in parts {
                let part: Vec<char> = part.chars().collect();
                let terms = (1..=part.len()).flat_map(|length| part.windows(length));
                for term in terms.map(String::from_iter) {
                    for gram in of_term(&term, longest) {
                        assert!(grams.contains(&gram.as_str()), "{term:?}: {gram:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn only_short_terms_that_are_in_the_ids_of_many_have_none() {
        for (term, longest, count) in [
            ("a", 3, 0),
            ("01", 3, 0),
            ("us", 2, 0),
            ("_", 2, 0),
            ("abc", 2, 0),
            ("i", 2, 1),
            ("ai", 2, 1),
            (" ", 2, 1),
            ("王", 2, 1),
            ("王小明", 2, 2),
            ("a.b", 2, 2),
            ("王小明", 3, 1),
            ("abcd", 3, 2),
        ] {
            assert_eq!(of_term(term, longest).len(), count, "{term:?}");
        }
    }

    #[test]
    fn a_long_term_is_asked_for_by_some_of_its_grams() {
        let long: String = ('一'..).take(256).collect();
        assert!((16..=32).contains(&of_term(&long, 3).len()));
    }

    #[test]
    fn a_gram_is_one_word() {
        let grams = of("i j", 2);
        assert_eq!(grams, "i i\u{e020} \u{e020} \u{e020}j");
    }

    #[test]
    fn no_gram_runs_across_two_parts() {
        let grams = of(&format!("xi{SEPARATOR}ui"), 2);
        assert_eq!(grams, "i ui xi");
    }
}
