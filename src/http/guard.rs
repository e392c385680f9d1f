//! Step two: what is refused before anything looks at it closely.

use super::query_limits;
use super::respond::Refusal;

/// Brackets within brackets that a document may have.
const MAX_BRACKETS: usize = 128;

/// Refuses a document that would be dear to parse: one look at its bytes, before its tokens are looked at.
pub(super) fn check(text: &str) -> Result<(), Refusal> {
    let mut open = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_BRACKETS {
            return Err(Refusal::graphql_new(
                axum::http::StatusCode::BAD_REQUEST,
                query_limits::DEPTH,
                format!("the document nests brackets deeper than {MAX_BRACKETS}"),
            ));
        }
    }
    Ok(())
}
