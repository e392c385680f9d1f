//! Step two: what is refused before anything looks at it closely.

use super::negotiate::Question;
use super::respond::Refusal;

/// Brackets within brackets that a document may have: the parser descends one stack frame and more for each.
const MAX_BRACKETS: usize = 128;

/// Refuses a document that would be dear to parse.
pub(super) fn check(question: &Question) -> Result<(), Refusal> {
    let Some(query) = &question.query else {
        return Err(Refusal::bad_request("`query` is missing"));
    };
    let mut open = 0_usize;
    for byte in query.bytes() {
        match byte {
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_BRACKETS {
            return Err(Refusal::new(
                axum::http::StatusCode::BAD_REQUEST,
                "DEPTH_LIMIT_EXCEEDED",
                format!("the document nests brackets deeper than {MAX_BRACKETS}"),
            ));
        }
    }
    Ok(())
}
